from __future__ import annotations

import pytest

from zspag_core.methods.catalogue import TuningRange
from zspag_core.reproduce.tuning import Trial, tune

RATE = TuningRange(name="learning_rate", low=1e-4, high=1.0)


def test_a_knob_is_read_on_a_logarithmic_scale():
    assert RATE.at(0.0) == 1e-4
    assert RATE.at(0.5) == pytest.approx(1e-2)
    assert RATE.at(1.0) == 1.0
    assert TuningRange(name="alpha", low=1e-4, high=1.0, complement=True).at(0.5) == pytest.approx(0.99)


def test_trials_close_in_on_the_gentlest_value_that_forgets():
    def judge(value):
        return Trial(value, 100 - 50 * value, 0.0 if value >= 0.02 else 80.0)

    best, made = tune(RATE, 5, judge)
    assert [round(trial.value, 4) for trial in made] == [0.01, 0.1, 0.0316, 0.0178, 0.0237]
    assert best.value == pytest.approx(0.0237)


def test_without_a_value_that_forgets_the_one_that_forgets_most_is_taken():
    best, made = tune(RATE, 3, lambda value: Trial(value, 90.0, 100 - 10 * value))
    assert best is made[-1]
    assert [trial.value for trial in made] == sorted(trial.value for trial in made)


def test_a_method_that_failed_was_too_strong_and_is_never_taken():
    best, made = tune(RATE, 2, lambda v: Trial(v, None, None) if v > 5e-3 else Trial(v, 50.0, 90.0))
    assert made[1].value < made[0].value
    assert best is made[1]
