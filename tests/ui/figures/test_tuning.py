from __future__ import annotations

import pytest

from ui.figures.tuning import (
    axis_text,
    heat_figure,
    history_figure,
    importance_figure,
    kept_and_forgotten,
    parallel_figure,
    point_text,
    predicted_and_graded,
    slices,
)
from zspag_core.tuning.space import Axis
from zspag_core.tuning.sweep import Sweep


@pytest.fixture
def sweep():
    space = (Axis(name="epsilon", low=0.1, high=0.4, log=True), Axis(name="n_adv", values=(10, 30)))
    return Sweep(run={}, space=space, trials=4)


@pytest.fixture
def rows():
    return [
        {"number": k, "point": {"epsilon": (0.1, 0.4)[k // 2], "n_adv": (10, 30)[k % 2]}, "state": "done", "spread": {},
         "figures": {"retain_free": value, "graded": value - 5, "acc_rt": value, "acc_ut": float(k)}}
        for k, value in enumerate((90.0, 80.0, 95.0, 85.0))
    ]  # fmt: skip


def test_history_never_falls(sweep, rows):
    drawn = history_figure(sweep, rows)
    assert list(drawn.figure.data[1].y) == [90.0, 90.0, 95.0, 95.0]
    assert not drawn.grading


def test_points_carry_their_trial_and_those_not_chosen_are_faint(sweep, rows):
    drawn = kept_and_forgotten(sweep, rows, {0})
    others, best = drawn.figure.data
    assert [carried[0] for carried in others.customdata] == [0, 1, 3]
    assert [carried[0] for carried in best.customdata] == [2]
    assert others.marker.opacity[0] > others.marker.opacity[1]
    assert drawn.grading
    assert predicted_and_graded(sweep, rows, set()).rows[0] == {"trial": 0, "retain_free": 90.0, "graded": 85.0}


def test_the_map_has_a_cell_a_pair_of_values_and_a_hole_where_nothing_was_tried(sweep, rows):
    drawn = heat_figure(sweep, rows[:3], *sweep.space, "acc_rt")
    assert [list(line) for line in drawn.figure.data[0].z] == [[90.0, 95.0], [80.0, None]]
    assert list(drawn.figure.data[0].x) == ["25.5/255", "102/255"]
    assert drawn.grading


def test_parallel_axes_have_knobs_and_figures_of_the_chosen_trials(sweep, rows):
    figure = parallel_figure(sweep, rows, {1, 2}).figure
    assert [len(axis["values"]) for axis in figure.data[0].dimensions] == [2] * 5
    assert list(figure.data[0].dimensions[1].ticktext) == ["10", "30"]


def test_a_budget_is_written_in_levels_on_every_axis(sweep, rows):
    budget = parallel_figure(sweep, rows, set()).figure.data[0].dimensions[0]
    assert (budget.ticktext[0], budget.ticktext[-1]) == ("25.5/255", "102/255")
    assert list(budget.range) == pytest.approx([-1, -0.39794])
    assert [budget.tickvals[0], budget.tickvals[-1]] == pytest.approx(list(budget.range))
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
