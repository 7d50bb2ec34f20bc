"""Parallel coordinates: every trial is a line through all axes, and each of its points carries its number."""

from __future__ import annotations

import math

import pytest

from ui.figures.parallel import COLOURS, parallel_figure


@pytest.fixture
def rows():
    return [
        {"number": k, "point": {"epsilon": (0.1, 0.2, 0.4, 0.4)[k], "n_adv": (10, 30)[k % 2]}, "state": "done",
         "figures": {"retain_free": value, "acc_rt": value, "acc_ut": 5.0}}
        for k, value in enumerate((90.0, 80.0, 95.0, 85.0))
    ]  # fmt: skip


def _lines(figure):
    """Return the lines of the picture by colour, each as its heights."""
    found = {}
    for trace in figure.data:
        if trace.mode == "lines" and len(trace.y):
            heights = [y for y in trace.y if not math.isnan(y)]
            found[trace.line.color] = [heights[at : at + 5] for at in range(0, len(heights), 5)]
    return found


def test_every_trial_is_a_line_through_its_knobs_and_figures(sweep, rows):
    lines = [line for own in _lines(parallel_figure(sweep, rows, set()).figure).values() for line in own]
    # worst first: score 80, 85, 90, 95; epsilon on its logarithmic scale; acc_ut is the same for all
    assert lines == [pytest.approx(line) for line in (
        [0.5, 1, 0, 0, 0.5], [1, 1, 1 / 3, 1 / 3, 0.5], [0, 0, 2 / 3, 2 / 3, 0.5], [1, 0, 1, 1, 0.5],
    )]  # fmt: skip


def test_the_best_line_has_the_last_colour_and_those_not_chosen_are_grey(sweep, rows):
    by_colour = _lines(parallel_figure(sweep, rows, {0, 2}).figure)
    grey = by_colour.pop("#8C8C8C")
    assert len(grey) == 2
    assert sum(map(len, by_colour.values())) == 2
    many = [rows[2] | {"number": k} for k in range(6)]
    assert list(_lines(parallel_figure(sweep, many, set()).figure)) == list(COLOURS)


def test_points_carry_their_trial_and_say_what_they_are(sweep, rows):
    figure = parallel_figure(sweep, rows, {2}).figure
    points = next(trace for trace in figure.data if trace.mode == "markers")
    assert sorted(set(points.customdata)) == ["0", "1", "2", "3"]
    assert len(points.x) == 4 * 5
    first, second = points.text[:2]
    assert first == "ε 51/255"
    assert second.endswith(" 30")
    assert {number for number, o in zip(points.customdata, points.marker.opacity, strict=True) if o == 1} == {"2"}


def test_axes_have_names_and_values_beside_them(sweep, rows):
    figure = parallel_figure(sweep, rows, set()).figure
    assert len(figure.layout.shapes) == 5
    texts = [[note.text for note in figure.layout.annotations if note.x == place] for place in range(5)]
    assert (texts[0][0], texts[0][-2], texts[0][-1]) == ("25.5/255", "102/255", "<b>ε</b>")
    assert texts[1][:2] == ["10", "30"]
    assert texts[4] == ["5.0", "<b>Acc_ut</b>"]
    assert all(0 <= note.y <= 1.1 for note in figure.layout.annotations)


def test_nothing_finished_is_no_fault(sweep):
    assert parallel_figure(sweep, [], set()).figure.data
