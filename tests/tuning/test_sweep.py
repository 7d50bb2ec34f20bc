from __future__ import annotations

from dataclasses import replace

import pytest

from zspag_core.errors import UsageError
from zspag_core.tuning.space import Axis
from zspag_core.tuning.sweep import Sweep


def test_a_sweep_survives_plain_values_and_what_pages_add(sweep):
    assert Sweep.from_dict(sweep.to_dict() | {"class_names": ["3"]}) == sweep


def test_there_are_no_more_trials_than_points(sweep):
    assert replace(sweep, trials=50).check().trials == 4
    assert replace(sweep, trials=50, sampler="tpe").check().trials == 4
    endless = (Axis(name="epsilon", low=0.1, high=0.2),)
    assert replace(sweep, trials=50, sampler="tpe", space=endless).check().trials == 50
    assert replace(sweep, trials=50, space=endless).check().trials == 5


def test_another_budget_is_the_same_sweep(sweep):
    assert replace(sweep, trials=9, minutes=3.0).identity() == sweep.identity()
    assert replace(sweep, seeds=(1,)).identity() != sweep.identity()


def test_a_point_is_an_ordinary_run(sweep):
    config = sweep.config_at({"n_adv": 8}, 5)
    assert config["settings"] == {"epochs": 2, "energy": 0.8, "n_adv": 8}
    assert config["seed"] == 5
    assert replace(sweep, seeds=(0, 1)).runs() == 8


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sampler": "best"}, "--sampler: expected one of"),
        ({"trials": 0}, "--trials: expected 1 to"),
        ({"minutes": -1.0}, "--minutes: expected"),
        ({"minutes": float("nan")}, "--minutes: expected"),
        ({"seeds": ()}, "--seeds: expected"),
        ({"seeds": (1, 1)}, "--seeds: expected"),
        ({"objectives": ("x",)}, "--objective: expected"),
        ({"objectives": ("acc_rt", "acc_ut"), "sampler": "tpe"}, "for several objectives, got tpe"),
    ],
)
def test_what_is_impossible_is_refused(sweep, changes, words):
    with pytest.raises(UsageError, match=words):
        replace(sweep, **changes).check()
