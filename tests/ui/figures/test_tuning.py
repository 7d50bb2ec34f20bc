from __future__ import annotations

from ui.figures.tuning import (
    axis_text,
    curves_figure,
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
    assert not drawn.grading


def test_points_carry_their_trial_and_those_not_chosen_are_faint(sweep, rows):
    drawn = kept_and_forgotten(sweep, rows, {0})
    others, best = drawn.figure.data
    assert list(others.customdata) == ["0", "1", "3"]
    assert list(best.customdata) == ["2"]
    assert others.marker.opacity[0] > others.marker.opacity[1]
    assert drawn.grading
    assert predicted_and_graded(sweep, rows, set()).rows[0] == {"trial": 0, "retain_free": 90.0, "graded": 85.0}


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
    assert list(second.figure.data[0].x) == ["10", "30", "10", "30"]
    assert slices(sweep, rows[:1], set()) == []


def test_importance_is_in_percent_the_largest_on_top():
    figure = importance_figure({"epsilon": 0.75, "n_adv": 0.25}).figure
    assert list(figure.data[0].x) == [25.0, 75.0]


def test_a_point_in_words():
    assert point_text({"epsilon": 8 / 255, "learning_rate": 0.1}).endswith("Learning rate 0.1")
