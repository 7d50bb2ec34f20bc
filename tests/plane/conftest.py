"""One network of the plane, trained once a session (a second), and the points that it knows."""

from __future__ import annotations

import pytest
import torch

from zspag_core.plane.networks import network_of, points_of
from zspag_core.plane.question import Question

SOURCE = ("rings", 4, (), 0)


@pytest.fixture(scope="session")
def asked():
    """Return a function that asks about the session's network, with some settings."""

    def asked(forget=(1,), beside="original", **settings):
        settings = {"epsilon": 0.12, "n_adv": 20, "batch_size": 50, "epochs": 6, "learning_rate": 0.05} | settings
        return Question(shape=SOURCE[0], classes=SOURCE[1], forget=forget, settings=settings, beside=beside)

    return asked


@pytest.fixture(scope="session")
def points():
    return points_of(*SOURCE)


@pytest.fixture(scope="session")
def network():
    return network_of(*SOURCE)


@pytest.fixture(scope="session")
def forget(points):
    return points.train.of_classes([1]).loaded()


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)
