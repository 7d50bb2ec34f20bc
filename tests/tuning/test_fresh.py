"""Samplers of Optuna, asked such that no point comes twice: all of a small space, and nothing after it."""

from __future__ import annotations

from dataclasses import replace

import optuna
import pytest

from zspag_core.tuning import fresh
from zspag_core.tuning.fresh import Fresh
from zspag_core.tuning.sampler import build_sampler, distributions
from zspag_core.tuning.space import Axis, key_of
from zspag_core.tuning.study import calm

SPACE = (
    Axis(name="n_adv", low=1, high=4, whole=True),
    Axis(name="label_mode", values=("posterior", "random")),
    Axis(name="epochs", values=(3,)),
)


@pytest.fixture
def drawn(sweep):
    """Return a function that asks a sampler for points one by one and returns their keys."""

    def drawn(name, count, axes=SPACE):
        tried, found = set(), []
        with calm():
            sampler = build_sampler(replace(sweep, sampler=name, trials=count, space=axes), tried)
            study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
            for _ in range(count):
                trial = study.ask(distributions(axes))
                found.append(key_of(axes, trial.params))
                tried.add(found[-1])
                study.tell(trial, [float(trial.params["n_adv"]), 1.0])
        return found

    return drawn


@pytest.mark.slow
@pytest.mark.parametrize("name", ["random", "tpe", "nsga2"])
def test_every_point_of_a_small_space_comes_once(drawn, name):
    found = drawn(name, 8)
    assert sorted(found) == [(n, mode, 3) for n in range(1, 5) for mode in ("posterior", "random")]
    assert drawn(name, 8) == found


def test_a_point_by_chance_where_there_are_too_many_to_list(drawn, monkeypatch):
    monkeypatch.setattr(fresh, "MOST_LISTED", 0)
    monkeypatch.setattr(fresh, "DRAWS", 0)
    assert len(set(drawn("random", 8))) == 8


def test_ranges_without_end_are_drawn_as_the_sampler_does():
    axes = (Axis(name="energy", low=0.5, high=0.9), Axis(name="n_adv", low=10, high=1000, log=True, whole=True))
    inner, space = optuna.samplers.RandomSampler, distributions(axes)
    samplers = (inner(seed=1), Fresh(inner(seed=1), axes, space, (), 0))
    alone, wrapped = (optuna.create_study(sampler=sampler) for sampler in samplers)
    points = [[study.ask(distributions(axes)).params for _ in range(3)] for study in (alone, wrapped)]
    assert points[0] == points[1]
