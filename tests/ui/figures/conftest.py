"""A sweep of four trials, for the figures that draw one."""

from __future__ import annotations

import pytest

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
