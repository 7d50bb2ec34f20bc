"""A small network trained on real digits, with and without one class."""

from __future__ import annotations

import copy
from typing import NamedTuple

import pytest
import torch
from torch.nn import functional as F

from zspag_core.data import DataSet, Split, load_dataset, to_pixels
from zspag_core.models import Classifier, build, named_config

FORGOTTEN = 3


class Trained(NamedTuple):
    dataset: DataSet
    original: Classifier
    retrained: Classifier


def fresh(seed: int) -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        sizes = {"widths": (8, 16, 32), "image_size": 8, "channels": 1, "mean": (0.3,), "std": (0.37,)}
        return build(named_config("resnet_tiny", **sizes)).eval()


def fitted(split: Split, epochs: int = 6) -> Classifier:
    model, generator = fresh(0).train(), torch.Generator().manual_seed(0)
    optimiser = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=5e-4)
    for _ in range(epochs):
        for place in torch.randperm(len(split), generator=generator).split(64):
            optimiser.zero_grad()
            F.cross_entropy(model(to_pixels(split.images[place])), split.labels[place]).backward()
            optimiser.step()
    return model.eval()


@pytest.fixture
def untrained() -> Classifier:
    return fresh(1)


@pytest.fixture(scope="session")
def trained() -> Trained:
    dataset = load_dataset("digits", image_size=8, channels=1)
    return Trained(dataset, fitted(dataset.train), fitted(dataset.train.without_classes([FORGOTTEN])))


@pytest.fixture
def masked(trained: Trained) -> Classifier:
    """The original with the forgotten logit at minus infinity."""
    model = copy.deepcopy(trained.original)
    with torch.no_grad():
        model.head.bias[FORGOTTEN] = -torch.inf
    return model
