from __future__ import annotations

from dataclasses import replace

import pytest

from zspag_core.tuning.sampler import build_sampler, distributions, planned, sobol_points
from zspag_core.tuning.space import Axis, tidied

SPACE = (Axis(name="energy", low=0.5, high=0.9), Axis(name="label_mode", values=("posterior", "random")))


def test_a_grid_is_planned_and_cut_at_the_budget(sweep):
    assert len(planned(sweep)) == 4
    assert planned(replace(sweep, trials=3)) == planned(sweep)[:3]


def test_sobol_points_fill_the_space_and_begin_alike_for_a_larger_budget():
    points = sobol_points(SPACE, 8, 0)
    shares = sorted((point["energy"] - 0.5) / 0.4 for point in points)
    assert [int(8 * share) for share in shares] == list(range(8))  # one in every eighth
    assert sorted(point["label_mode"] for point in points) == ["posterior"] * 4 + ["random"] * 4
    assert sobol_points(SPACE, 5, 0) == points[:5]
    assert sobol_points(SPACE, 8, 1) != points
    assert len(sobol_points(SPACE, 1, 0)) == 1


@pytest.mark.parametrize(
    ("name", "kind"), [("random", "RandomSampler"), ("tpe", "TPESampler"), ("nsga2", "NSGAIISampler")]
)
def test_samplers_that_are_asked_one_by_one(sweep, name, kind):
    asked = replace(sweep, sampler=name)
    assert planned(asked) is None
    assert type(build_sampler(asked, set())._inner).__name__ == kind


def test_sobol_points_of_a_finite_space_come_once_each_and_begin_alike():
    axes = (Axis(name="n_adv", low=1, high=5, whole=True), Axis(name="label_mode", values=("posterior", "random")))
    points = sobol_points(axes, 99, 0)
    assert len(points) == 10
    assert sorted((point["n_adv"], point["label_mode"]) for point in points) == [
        (n, mode) for n in range(1, 6) for mode in ("posterior", "random")
    ]
    assert [sobol_points(axes, count, 0) for count in range(1, 11)] == [points[:count] for count in range(1, 11)]


def test_what_sobols_sequence_misses_follows_in_order(monkeypatch):
    monkeypatch.setattr("zspag_core.tuning.sampler.SOBOL_TIMES", 0)
    axes = (Axis(name="label_mode", values=("a", "b", "c")),)
    assert sorted(point["label_mode"] for point in sobol_points(axes, 3, 0)) == ["a", "b", "c"]


def test_distributions_are_lists_and_ranges():
    axes = (*SPACE, Axis(name="n_adv", low=10, high=1000, log=True, whole=True))
    found = distributions(axes)
    assert (found["n_adv"].low, found["n_adv"].high, found["n_adv"].log) == (10, 1000, True)
    assert found["label_mode"].choices == ("posterior", "random")
    assert (found["energy"].low, found["energy"].high, found["energy"].log) == (0.5, 0.9, False)


def test_a_point_has_numbers_that_can_be_typed():
    assert tidied(SPACE, {"energy": 0.123456789 + 0.5, "label_mode": "random"}) == {
        "energy": 0.623457,
        "label_mode": "random",
    }
