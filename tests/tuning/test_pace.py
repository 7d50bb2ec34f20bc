"""How long a sweep still takes: what only its first trial pays for is left out."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from zspag_core.tuning.pace import lasting, once_of, time_left


def trial(took, once=0.0):
    return {"took": took, "once": once}


def test_what_later_trials_find_ready_is_left_out():
    seconds = {"load": 3.0, "before": 20.0, "yardstick": 5.0, "proxies": 8.0, "unlearn": 4.0}
    run = SimpleNamespace(progress={"seconds": seconds}, started=100.0, finished=145.0)
    assert (once_of(run), lasting(run)) == (28.0, 17.0)
    assert once_of(SimpleNamespace(progress={})) == 0.0
    assert lasting(SimpleNamespace(progress={}, started=None, finished=5.0)) == 0.0


def test_the_first_trial_says_roughly_how_long_the_others_take():
    left = time_left([trial(45.0, 28.0)], 6, 1)
    assert (left.seconds, left.about) == (pytest.approx(5 * 17.0), "roughly")
    assert time_left([trial(45.0, 28.0)], 6, 2).seconds == pytest.approx(5 * 17.0 / 2)
    assert time_left([trial(45.0, 28.0)] * 5, 6, 4).seconds == pytest.approx(17.0)


def test_trials_that_found_all_ready_say_it_better():
    left = time_left([trial(51.4, 22.9), trial(13.2, 0.6)], 6, 1)
    assert (left.seconds, left.about) == (pytest.approx(4 * 12.6), "about")


def test_one_slow_trial_does_not_count_for_all_nor_one_of_an_earlier_version_less():
    rows = [trial(10.0), {"took": 12.0}, trial(300.0), trial(0.0)]
    assert time_left(rows, 5, 1).seconds == 12.0


def test_nothing_measured_or_nothing_left():
    assert time_left([], 6, 1) is None
    assert time_left([trial(0.0)], 6, 1) is None
    assert time_left([trial(5.0)], 1, 1) is None
