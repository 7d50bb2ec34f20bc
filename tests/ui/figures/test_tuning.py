from __future__ import annotations

import math
from dataclasses import replace

from ui.figures.tuning import (
    axis_text,
    curves_figure,
    front_figure,
    history_figure,
    importance_figure,
    kept_and_forgotten,
    point_text,
    predicted_and_graded,
    slices,
)
from zspag_core.tuning.space import Axis


def test_history_never_falls(sweep, rows):
    drawn = history_figure(sweep, rows)
    assert list(drawn.figure.data[1].y) == [90.0, 90.0, 95.0, 95.0]
    assert drawn.figure.layout.xaxis.dtick == 1
    many = [rows[0] | {"number": k} for k in range(20)]
    assert history_figure(sweep, many).figure.layout.xaxis.dtick is None
    assert not drawn.grading


def test_points_carry_their_trial_and_those_not_chosen_are_faint(sweep, rows):
    drawn = kept_and_forgotten(sweep, rows, {0})
    others, best = drawn.figure.data
    assert list(others.customdata) == ["0", "1", "3"]
    assert list(best.customdata) == ["2"]
    assert others.marker.opacity[0] > others.marker.opacity[1]
    assert drawn.grading
    assert predicted_and_graded(sweep, rows, set()).rows[0] == {"trial": 0, "retain_free": 90.0, "graded": 85.0}


def test_the_front_of_two_objectives_is_a_line_on_whose_good_side_nothing_lies(sweep, rows):
    two = replace(sweep, objectives=("acc_rt", "acc_ut"))
    drawn = front_figure(two, rows, "acc_rt", "acc_ut", {0})
    others, front, line = drawn.figure.data
    assert (list(others.customdata), list(front.customdata)) == (["1", "3"], ["0", "2"])
    assert (list(line.x), list(line.y), line.line.shape) == ([90.0, 95.0], [0.0, 2.0], "vh")
    assert front.name == "front"
    assert "more Acc_rt and less Acc_ut" in drawn.note
    assert "front: trial 0, 2" in drawn.alt
    assert "trial %{customdata}: %{text}" in front.hovertemplate


def test_the_front_of_three_is_shown_two_by_two_without_a_line(sweep, rows):
    three = replace(sweep, objectives=("acc_rt", "acc_ut", "graded"))
    drawn = front_figure(three, rows, "acc_ut", "graded", set())
    assert [list(trace.customdata) for trace in drawn.figure.data] == [["1", "3"], ["0", "2"]]


def test_shares_that_are_all_nought_are_drawn_from_nought(sweep, rows):
    for row in rows:
        row["figures"]["acc_ut"] = 0.0
    steered = replace(sweep, objectives=("acc_ut",))
    figures = [history_figure(steered, rows), kept_and_forgotten(steered, rows, set()), *slices(steered, rows, set())]
    assert {tuple(one.figure.layout.yaxis.range) for one in figures} == {(-0.1, 2.1)}
    told = curves_figure({"trial 1": [{"epoch": 1, "acc_ut": 0.0}]}, "acc_ut", "Acc_ut", "%", grading=True)
    assert tuple(told.figure.layout.yaxis.range) == (-0.1, 2.1)
    assert told.figure.layout.yaxis.title.text == "Acc_ut, %"


def test_curves_of_pinned_trials_lie_over_each_other():
    epochs = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "acc_ut": 3.0}]
    drawn = curves_figure({"trial 3": epochs, "trial 5": epochs[:1]}, "loss", "Loss", grading=False)
    assert [(trace.name, list(trace.y)) for trace in drawn.figure.data] == [("trial 3", [2.0, 1.0]), ("trial 5", [2.0])]
    assert drawn.rows[1] == {"trial": "trial 3", "epoch": 2, "loss": 1.0}


def test_a_budget_is_written_in_levels_on_every_axis(sweep, rows):
    first, second = slices(sweep, rows, set())
    assert first.figure.layout.xaxis.ticktext[0] == "25.5/255"
    assert list(second.figure.layout.xaxis.categoryarray) == ["10", "30"]


def test_what_a_knob_is_varied_over(sweep):
    assert [axis_text(axis) for axis in sweep.space] == ["25.5/255 to 102/255, logarithmic", "10, 30"]
    assert axis_text(Axis(name="energy", low=0.8, high=0.9)) == "0.8 to 0.9"


def test_a_slice_a_knob(sweep, rows):
    first, second = slices(sweep, rows, set())
    assert first.figure.layout.xaxis.type == "log"
    low, high = first.figure.layout.xaxis.range
    assert low < math.log10(0.1) < math.log10(0.4) < high < 0
    assert list(second.figure.data[0].x) == ["10", "30", "10", "30"]
    assert slices(sweep, rows[:1], set()) == []


def test_importance_is_in_percent_the_largest_on_top():
    figure = importance_figure({"epsilon": 0.75, "n_adv": 0.25}).figure
    assert list(figure.data[0].x) == [25.0, 75.0]


def test_a_point_in_words():
    assert point_text({"epsilon": 8 / 255, "learning_rate": 0.1}) == "ε 8/255, Learning rate 0.1"
