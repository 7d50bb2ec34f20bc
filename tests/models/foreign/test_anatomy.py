"""A dry run finds the head, the weights that may move, and the places of maps."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from zspag_core.errors import CheckpointError
from zspag_core.models.foreign.anatomy import as_map, examine, logits_in

IMAGES = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """A small convolutional network; subclasses change one thing."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.fc = nn.Linear(6, 5)

    def body(self, x):
        return F.relu(self.second(F.relu(self.first(x))))

    def forward(self, x):
        return self.fc(self.body(x).mean((2, 3)))


def test_head_census_and_maps_of_a_plain_network():
    network = Net().train()
    found = examine(network, IMAGES)
    assert (found.head, found.classes) == ("fc", 5)
    assert found.census.moving == {"first": 1, "second": 1, "fc": 1}
    assert not found.census.unmoved
    assert found.maps == ("first", "second")
    assert network.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


class _Outside(Net):
    def forward(self, x):
        return F.linear(self.body(x).mean((2, 3)), self.fc.weight) + self.fc(self.body(x).mean((2, 3)))


class _Standardised(Net):
    def __init__(self):
        super().__init__()

        class Standardised(nn.Conv2d):
            def forward(self, x):
                weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
                return F.conv2d(x, weight, self.bias, self.stride, self.padding)

        self.second = Standardised(4, 6, 3, stride=2, padding=1)


class _Idle(Net):
    def __init__(self):
        super().__init__()
        self.auxiliary = nn.Linear(6, 5)


class _Shared(Net):
    def __init__(self):
        super().__init__()
        self.twin = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.twin.weight = self.second.weight

    def body(self, x):
        return super().body(x) + self.twin(F.relu(self.first(x)))


class _Normed(Net):
    def __init__(self):
        super().__init__()
        parametrizations.weight_norm(self.second)


@pytest.mark.parametrize(
    ("network", "still", "why"),
    [
        (_Outside, {"fc"}, "used outside"),
        (_Standardised, {"second"}, "changes its weight"),
        (_Idle, {"auxiliary"}, "never called"),
        (_Shared, {"second", "twin"}, "shares its weight"),
        (_Normed, {"second"}, "computed from others"),
    ],
)
def test_weights_that_are_not_seen_whole_stay_as_they_are(network, still, why):
    census = examine(network().eval(), IMAGES).census
    assert set(census.unmoved) == still
    assert all(why in reason for reason in census.unmoved.values())
    assert "first" in census.moving


def test_a_layer_that_is_called_twice_counts_twice():
    class Twice(Net):
        def body(self, x):
            return super().body(self.first(x)[:, :3])

    assert examine(Twice().eval(), IMAGES).census.moving["first"] == 2


def test_a_pointwise_convolution_may_be_the_head():
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 5, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    assert examine(network.eval(), IMAGES).head == "2"


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(7, 5)), "fails on images of shape"),
        (nn.Sequential(nn.Conv2d(3, 5, 3)), "logits of shape"),
        (nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), "ends in a linear layer"),
    ],
)
def test_what_is_no_classifier_is_refused(network, said):
    with pytest.raises(CheckpointError, match=said):
        examine(network.eval(), IMAGES)


def test_another_number_of_classes_is_refused():
    with pytest.raises(CheckpointError, match="expected 7 logits"):
        examine(Net().eval(), IMAGES, classes=7)


def test_logits_are_found_in_whatever_is_returned():
    logits = torch.rand(2, 5)

    class Output:
        def __init__(self, logits):
            self.logits = logits

    for answer in (logits, Output(logits), {"loss": torch.tensor(0.0), "logits": logits}, (torch.rand(2), logits)):
        assert logits_in(answer) is logits
    assert logits_in(logits[:, :, None, None]).equal(logits)
    with pytest.raises(CheckpointError, match="got a NoneType"):
        logits_in(None)


def test_maps_of_every_layout():
    channels_first = torch.rand(2, 7, 4, 4)
    assert as_map(channels_first) is channels_first
    assert as_map(channels_first.permute(0, 2, 3, 1)).equal(channels_first)
    tokens = channels_first.flatten(2).transpose(1, 2)
    for prefix in (0, 1, 2, 5):
        assert as_map(torch.cat([torch.zeros(2, prefix, 7), tokens], dim=1)).equal(channels_first)
    assert as_map(torch.rand(2, 7, 4, 6)) is None
    assert as_map(torch.rand(2, 15, 7)) is None
    assert as_map(torch.rand(2, 7)) is None


def test_the_last_blocks_patches_that_nothing_reads_are_no_place_for_maps():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch = nn.Conv2d(3, 8, 4, stride=4)
            self.blocks = nn.ModuleList([nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) for _ in range(3)])
            self.token = nn.Parameter(torch.zeros(1, 1, 8))
            self.head = nn.Linear(8, 5)

        def forward(self, x):
            x = self.patch(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
            for block in self.blocks:
                x = block(x)
            return self.head(x[:, 0])

    from zspag_core.models.foreign.attention import make_explicit

    assert examine(make_explicit(Tokens()).eval(), IMAGES).maps == ("blocks.0", "blocks.1")
