"""What the interface says of runs whose data has nothing but images to forget."""

from __future__ import annotations

import pytest

from tests.records import alone
from ui.results.differences import figure_differences
from ui.results.fence import kept_for_grading
from ui.results.figures import classes_of, gallery, history_of, predictions_of, tables
from ui.results.reference import Reference
from ui.results.report import ReportedRun, html_report
from ui.results.summary import cards, standing_of, tell
from ui.runs.table import row_of, summary
from ui.shell.formatting import epochs_of, result_table
from ui.shell.run_picker import run_label
from ui.shell.strip import run_text
from ui.shell.ungraded import (
    estimate_rows,
    estimate_table,
    image_words,
    is_ungraded,
    misread,
    missing_for,
    short_estimate,
    why_ungraded,
)
from zspag_core.jobs import State
from zspag_core.metrics.catalogue import ACC_RT, ACC_UT, ENTROPY


@pytest.fixture
def view(make_view):
    return make_view(only_forget=True)


def test_a_whole_run_has_nothing_of_it(make_record):
    whole = make_record()
    assert not is_ungraded(whole)
    assert why_ungraded(whole) == estimate_table(whole) == missing_for(whole, ACC_RT) == ""
    assert not misread(whole)


def test_figures_say_what_they_lack(make_record):
    result = make_record(only_forget=True)
    assert is_ungraded(result)
    assert missing_for(result, ACC_RT) == "Not graded: the data lacks test images of remaining classes."
    assert missing_for(result, ACC_UT) == "Not graded: the data lacks test images of the forgotten classes."
    assert "training images of remaining classes and test" in missing_for(result, ENTROPY)


def test_estimates_are_listed_as_far_as_there_are_some(make_record):
    result = make_record(only_forget=True)
    assert [(then, now) for _, then, now, _ in estimate_rows(result)] == [(99.0, 1.0), (100.0, 97.5)]
    held = alone(make_record(), held_out=30)
    assert [(then, now) for _, then, now, _ in estimate_rows(held)] == [
        (99.0, 1.0),
        (98.0, 4.0),
        (100.0, 97.5),
        (55.0, 55.0),
    ]
    assert [now for _, _, now, _ in estimate_rows(make_record(only_forget=True, cancelled=True))] == [None, None]
    assert "| **1.0 %** |" in estimate_table(result)


def test_a_class_that_was_hardly_read_is_pointed_out(make_record):
    result = make_record(only_forget=True)
    result["estimates"]["forget_accuracy"]["before"] = 2.0
    assert "another class" in misread(result)


def test_the_story_speaks_of_estimates(view):
    told = " ".join(tell(view, Reference()))
    assert "which the method saw, 99.0 % were read right, now 1.0 %: an estimate" in told.replace(
        "\N{NO-BREAK SPACE}", " "
    )
    assert "**remaining classes** are not graded" in told
    assert "97.5" in told


def test_cards_stay_empty_and_say_why(view):
    found = cards(view, Reference())
    assert [card.value for card in found] == ["–"] * 5
    assert all(card.note.startswith("Not graded: ") for card in found)
    assert not any(card.change for card in found)


def test_no_figure_is_drawn_from_nothing(view):
    assert standing_of(view, Reference()) is None
    assert classes_of(view) is None
    assert predictions_of(view) is None
    names = {drawn.name for drawn in gallery(view, Reference())}
    assert not names & {"figures", "accuracy_by_class", "predictions"}
    assert set(tables(view, Reference())) >= names
    assert history_of(view).rows[0]["forget_images"] == 99.0


def test_lists_and_strips_say_it_in_few_words(view, make_job, make_record):
    job = make_job(answer=view.result, state=State.DONE)
    words = "not graded · forget images 1.0 %"
    assert short_estimate(view.result) == words
    assert run_text(job).endswith(words)
    assert run_label(job).endswith(words)
    row = row_of(job)
    assert (row.acc_rt, row.acc_ut, row.lead, row.estimate) == (None, None, None, words)
    assert row.state == "Done, not graded"
    assert summary([row], [row]) == "1 run; none of them is graded."


def test_the_table_and_the_epochs_hold_no_zero(view):
    assert result_table(view.result) == ""
    first = epochs_of([], view.result)[0]
    assert first == {"epoch": 0, "acc_rt": None, "acc_ut": None, "forget_images": 99.0}


def test_the_fence_says_that_nothing_judged_it(view, make_view, make_record):
    assert kept_for_grading(view)[0] == "nothing: the data has no image that the method did not see"
    assert kept_for_grading(view)[1] == why_ungraded(view.result)


def test_two_runs_differ_in_estimates_too(make_view):
    rows = figure_differences(make_view(only_forget=True), make_view("B"))
    estimates = [row for row in rows if row[0].endswith("estimate")]
    assert [row[1:] for row in estimates] == [("1.0 %", "–", "–"), ("97.5 %", "–", "–")]


@pytest.mark.slow
def test_the_report_has_estimates_in_place_of_figures(view):
    page = html_report([ReportedRun(view, Reference(), "")])
    assert "are not graded." in page
    assert "Forget images still recognised" in page
    assert "Remaining accuracy · Acc_rt" not in page


@pytest.mark.parametrize(
    ("lacks", "words"),
    [((), "Test image"), (("retain_test",), "Test image"), (("retain_test", "forget_test"), "Forget image")],
)
def test_images_are_called_what_they_are(lacks, words):
    assert image_words(lacks) == words
