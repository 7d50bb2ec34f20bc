"""Fixtures of the methods that train every weight."""

from __future__ import annotations

import pytest
import torch

from zspag_core.errors import Cancelled
from zspag_core.progress import Reporter


@pytest.fixture
def exact(monkeypatch):
    """Compute in float32, so that figures can be compared with a loop written in the test."""
    monkeypatch.setattr("zspag_core.devices._cpu_has_bfloat16", lambda: False)


@pytest.fixture
def forget(small_digits):
    return small_digits.train.of_classes((3,))[torch.arange(40)]


@pytest.fixture
def retain(small_digits):
    return small_digits.train.without_classes((3,))[torch.arange(90)]


class StopAfter(Reporter):
    """Cancels when an epoch has ended."""

    def __init__(self, epoch):
        self.last, self.heard = epoch, []

    def progress(self, stage, done, total, **figures):
        self.heard.append((stage, done, total))

    def epoch(self, number, total, model, **figures):
        assert not model.training
        assert set(figures) == {"loss", "forget_accuracy"}
        if number == self.last:
            raise Cancelled("stop")


@pytest.fixture
def stop_after():
    return StopAfter
