"""How long a sweep still takes: what only its first trial pays for is left out."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from zspag_core.tuning.pace import lasting, once_of, seconds_a_trial, seconds_left


def trial(took, once=0.0):
    return {"took": took, "once": once}


def test_what_later_trials_find_ready_is_left_out():
    seconds = {"load": 3.0, "before": 20.0, "yardstick": 5.0, "proxies": 8.0, "unlearn": 4.0}
    run = SimpleNamespace(progress={"seconds": seconds}, started=100.0, finished=145.0)
    assert (once_of(run), lasting(run)) == (28.0, 17.0)
    assert once_of(SimpleNamespace(progress={})) == 0.0
    assert lasting(SimpleNamespace(progress={}, started=None, finished=5.0)) == 0.0


def test_the_first_trial_says_how_long_the_others_take():
    assert seconds_left([trial(45.0, 28.0)], 6, 1) == pytest.approx(5 * 17.0)
    assert seconds_left([trial(45.0, 28.0)], 6, 2) == pytest.approx(5 * 17.0 / 2)
    assert seconds_left([trial(10.0)] * 5, 6, 4) == pytest.approx(10.0)


def test_one_slow_trial_does_not_count_for_all():
    assert seconds_a_trial([trial(10.0), trial(12.0), trial(300.0), {"took": 0.0}]) == 12.0


def test_nothing_measured_or_nothing_left():
    assert seconds_left([], 6, 1) is None
    assert seconds_left([trial(0.0)], 6, 1) is None
    assert seconds_left([trial(5.0)], 1, 1) is None
