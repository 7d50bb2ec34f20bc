"""Networks that keep tables of their last call, as timm's LeViT and TinyViT do for evaluation."""

from __future__ import annotations

import copy

import pytest
import timm
import torch
from torch import nn

from zspag_core.checkpoints.foreign import adapt
from zspag_core.models.foreign.caches import copied


class Keeping(nn.Module):
    """Keeps a table of its parameters' values in evaluation, drops it in training, and remembers what it saw last."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.bias = nn.Parameter(torch.arange(8.0))
        self.head = nn.Linear(8, 4)
        self.table = {}

    def train(self, mode=True):
        super().train(mode)
        if mode:
            self.table = {}  # and returns nothing, as some owners' networks do

    def forward(self, x):
        if self.training:
            bias = self.bias[torch.arange(8)]
        else:
            bias = self.table.setdefault(str(x.device), self.bias[torch.arange(8)])
        self.seen = self.stem(x).mean((2, 3)) + bias
        return self.head(self.seen)


@pytest.fixture(params=["own", "timm"])
def network(request):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        own = request.param == "own"
        network = Keeping() if own else timm.create_model("levit_128s", num_classes=4, img_size=64)
        network.eval()
        return network


@pytest.fixture
def images():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def own_of(network):
    return adapt(network, image_size=64, mean=(0.0,) * 3, std=(1.0,) * 3)


def test_a_network_that_was_called_can_be_copied(network, images):
    network(images)
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(network)
    twin = copied(network)
    assert not twin.training
    assert torch.equal(twin(images), network(images))
    assert all(torch.equal(one, other) for one, other in zip(twin.parameters(), network.parameters(), strict=True))


@pytest.mark.slow
def test_a_classifier_keeps_nothing_of_a_call(network, images):
    network(images)
    model = own_of(network)
    for _ in range(2):  # a graph that was kept could not be gone through twice
        model(images).sum().backward()
    twin = copy.deepcopy(model)
    assert torch.equal(twin(images), model(images))


@pytest.mark.slow
def test_what_a_classifier_says_is_of_its_present_weights(network, images):
    model = own_of(network)
    model(images)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.01)
    fresh = own_of(copied(model.network))
    assert torch.equal(model(images), fresh(images))
    stale = copied(network)
    assert not torch.allclose(stale(images), model(images))
