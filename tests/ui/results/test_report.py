from __future__ import annotations

import re

import pytest

from ui.results.reference import Reference
from ui.results.report import ReportedRun, html_report, inline


@pytest.fixture
def report(make_view):
    view = make_view(influences=True, changes={"title": "a <b> & c", "started": 1.0, "finished": 13.0})
    return html_report([ReportedRun(view, Reference(), "python -m zspag_core unlearn --data 'a b'")])


@pytest.mark.slow
def test_report_has_story_figures_settings_and_command(report):
    assert "is forgotten" in report
    assert report.count("<figure ") == 12
    assert report.count('role="img"') == 12
    assert "--data &#39;a b&#39;" in report
    assert "ε · perturbation budget" in report
    assert "What the method saw" in report


@pytest.mark.slow
def test_report_asks_nobody_for_anything(report):
    markup = re.sub(r"<script>.*?</script>", "", report, flags=re.DOTALL)
    assert "http" not in markup
    assert not re.search(r"<script[^>]+src=|<link|<img", report[: report.index("<script>")] + markup)


@pytest.mark.slow
def test_library_is_inside_once(report):
    assert report.count("plotly.js v") == 1
    assert len(report) < 7_000_000


@pytest.mark.slow
def test_names_cannot_break_the_page(report):
    assert "a &lt;b&gt; &amp; c" in report
    assert "<b> & c" not in report


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("**x** and :orange[**3**]", '<b>x</b> and <span class="forgotten"><b>3</b></span>'),
        (r"a\*b\<i", "a&#42;b&lt;i"),
        ("1 < 2", "1 &lt; 2"),
    ],
)
def test_markdown_of_sentences_becomes_html(text, markup):
    assert inline(text) == markup


@pytest.mark.slow
def test_report_of_a_stopped_run(make_view):
    report = html_report([ReportedRun(make_view(cancelled=True), Reference(), "")])
    assert "The run was stopped after epoch 2" in report


@pytest.mark.slow
def test_report_of_two_runs_begins_with_what_is_different(make_view):
    one = make_view("A", changes={"title": "first *try*"})
    two = make_view("B", method="mask", changes={"title": "second"})
    report = html_report([ReportedRun(one, Reference(), "again one"), ReportedRun(two, Reference(), "again two")])
    text = re.sub(r"<script>.*?</script>", "", report, flags=re.DOTALL)
    first, second = text.index("A · first *try* · forget 3"), text.index("B · second · forget 3")
    assert text.index("What was set differently") < text.index("What came out") < first < second
    assert "<td>Method</td><td>zspag</td><td>mask</td>" in text
    assert first < text.index("again one") < second < text.index("again two")
    assert report.count("plotly.js v") == 1


@pytest.mark.slow
def test_one_report_has_no_comparison(report):
    assert "What was set differently" not in report
