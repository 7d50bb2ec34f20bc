"""Cases and scales so small that a whole table takes seconds."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from zspag_core.models import MODELS
from zspag_core.models.resnet import ResNetConfig
from zspag_core.reproduce import scale, setups
from zspag_core.reproduce.harness import Harness

TINY = {
    "forget_images": 20,
    "retain_images": 60,
    "test_images": 120,
    "trials": 2,
    "retrain_images": 100,
    "retrain_epochs": 1,
    "retrain_seeds": 1,
    "official_seeds": 1,
    "invented_batches": 2,
    "fisher_images": 16,
    "relearning_steps": 4,
    "relearning_seeds": 1,
}


@pytest.fixture
def tiny(monkeypatch):
    """Put a small network on small digits in place of every setup, at both scales; return the small scale."""
    monkeypatch.setitem(MODELS, "tiny", ResNetConfig(widths=(4, 6), blocks=(1, 1), channels=1, mean=(0.3,), std=(0.4,)))
    for known in setups.SETUPS.values():
        for name, setup in known.items():
            changed = {"data": "digits", "model": "tiny", "shipped": "", "start": "", "settings": {"epochs": 3}}
            monkeypatch.setitem(known, name, replace(setup, classes=tuple(range(10)), image_size=8, **changed))
    for name, known in scale.SCALES.items():
        monkeypatch.setitem(scale.SCALES, name, replace(known, **TINY))
    return scale.SCALES["small"]


@pytest.fixture
def harness(tiny, tmp_path):
    """A harness on the tiny scale, with one seed."""
    return Harness(tmp_path / "out", tiny, device=torch.device("cpu"), seeds=1)
