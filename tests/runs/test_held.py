"""Model and data of the last run are used again while their files are as they were."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zspag_core.runs import held
from zspag_core.runs.config import RunConfig
from zspag_core.runs.held import prepare_held


@pytest.fixture
def asked(digits_checkpoint):
    settings = {"epochs": 2, "n_adv": 8, "epsilon": 0.3, "energy": 0.8}
    return RunConfig("digits", str(digits_checkpoint), (3,), settings=settings, device="cpu", relearning=False)


def test_model_and_data_of_the_last_run_are_used_again(asked):
    first = prepare_held(asked)
    second = prepare_held(replace(asked, seed=4, settings={}))
    assert second.checkpoint is first.checkpoint
    assert second.config.seed == 4
    assert held._read.cache_info().maxsize == 1
