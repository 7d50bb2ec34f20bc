"""How stages are written, found by trying: in networks of other libraries and in small ones made for a known answer."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from zspag_core.data.dataset import to_pixels
from zspag_core.erasing import Disturbance, StandIns, Written, erase, last_stages
from zspag_core.erasing.dry_run import dry_run
from zspag_core.erasing.recall import moments, norms_of
from zspag_core.errors import UsageError
from zspag_core.metrics.depth.stages import stages_of
from zspag_core.models import Classifier, build
from zspag_core.models.foreign.adapter import ForeignClassifier
from zspag_core.models.foreign.config import ForeignConfig
from zspag_core.models.foreign.sources import build_network
from zspag_core.models.vit import ViTConfig

CLASSES, GONE = 3, 0
STILL = Disturbance(crop=0, flip=False, cutout=0)
KNOWN = {"num_classes": CLASSES, "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}


def settle(model: Classifier, images: torch.Tensor) -> Classifier:
    """Draw gains and biases of every BatchNorm (libraries begin some at 0) and let it see the images."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            with torch.no_grad():
                module.weight.copy_(0.5 + torch.rand(module.weight.shape, generator=generator))
                module.bias.copy_(0.2 * torch.randn(module.bias.shape, generator=generator))
            module.momentum = 0.3
    model.train()
    with torch.no_grad():
        for _ in range(8):
            model(to_pixels(images))
    return model.eval()


def foreign(source: str, images: torch.Tensor, size: int = 32) -> Classifier:
    """Return another library's network that has seen the images."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = ForeignConfig(image_size=size, source=source, **KNOWN)
        return settle(ForeignClassifier(build_network(config), config), images)


def owned(network: nn.Module, images: torch.Tensor) -> Classifier:
    """Return somebody's own network that has seen the images."""
    config = ForeignConfig(image_size=images.shape[-1], source="python:mine.py:Mine", **KNOWN)
    return settle(ForeignClassifier(network, config), images)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Noise with a bright stripe where its class says, 20 of each of three classes."""
    pixels = torch.randint(0, 120, (60, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    for k in range(CLASSES):
        pixels[20 * k : 20 * (k + 1), :, 8 * k : 8 * (k + 1)] += 100
    return pixels.to(torch.uint8)


LABELS = torch.arange(CLASSES).repeat_interleave(20)


def means_apart(model: Classifier, images: torch.Tensor, name: str) -> float:
    """Return the distance of mean features of forgotten and remaining images at a stage."""
    found = stages_of(model, images)
    features = found.features[found.names.index(name)]
    return float((features[LABELS == GONE].mean(0) - features[LABELS != GONE].mean(0)).norm())


LIBRARIES = {
    # the last stage but one: its name, what it ends with, the convolutions that write it, and what reads it
    "timm:test_resnet": ("layer2", "relu", ["layer2.0.conv2", "layer2.0.downsample.1"], "layer3.0.conv1"),
    "timm:test_efficientnet": ("blocks.2", "none", ["blocks.2.0.conv_pwl"], "blocks.3.0.conv_pw"),
    "timm:mobilenetv2_050": ("blocks.2", "none", ["blocks.2.2.conv_pwl"], "blocks.3.0.conv_pw"),
    "timm:test_byobnet": ("stages.1", "relu", ["stages.1.0.shortcut.conv.conv"], None),  # its other branch is gated
}


def erased(model: Classifier, stage: Written, images: torch.Tensor, share: float | None = None) -> Classifier:
    """Return a classifier with a stage erased; the remaining images themselves are the stand-ins."""
    real = StandIns(images[LABELS != GONE], LABELS[LABELS != GONE])
    generator = torch.Generator().manual_seed(0)
    return erase(model, stage, images[LABELS == GONE], real, share=share, disturbance=STILL, generator=generator)


@pytest.mark.parametrize("source", LIBRARIES)
def test_a_stage_of_another_librarys_network_is_erased(source, images):
    model = foreign(source, images)
    name, activation, convs, reader = LIBRARIES[source]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    stage = last_stages(model, 2)[0].written
    assert all(value.equal(model.state_dict()[key]) for key, value in before.items())
    assert stage is not None
    assert (stage.name, stage.activation.name) == (name, activation)
    assert [pair.conv.removeprefix("network.") for pair in stage.writers] == convs
    assert (stage.reader and stage.reader.conv.removeprefix("network.")) == reader
    after = erased(model, stage, images)
    assert means_apart(after, images, name) < 0.15 * means_apart(model, images, name)
    changed = {key.rpartition(".")[0] for key, value in after.state_dict().items() if not value.equal(before[key])}
    assert changed <= {layer for pair in stage.writers for layer in (pair.conv, pair.norm)}


class Own(nn.Module):
    """Two stages; what follows the last BatchNorm is given."""

    def __init__(self, end):
        super().__init__()
        self.one = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, bias=True), nn.BatchNorm2d(6), nn.ReLU())
        self.conv, self.norm = nn.Conv2d(6, 8, 3, stride=2, padding=2, dilation=2), nn.BatchNorm2d(8)
        self.end, self.head = end, nn.Linear(8, CLASSES)

    def forward(self, x):
        read = self.conv(self.one(x))
        return self.head(self.end(self.norm(read), read).mean((2, 3)))


class End(nn.Module):
    """A function of what BatchNorm puts out and of what it reads, as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, normed, read):
        return self.function(normed, read)


ENDS = {
    "relu": lambda normed, _read: normed.relu(),
    "none": lambda normed, _read: normed,
    "leaky relu 0.1": lambda normed, _read: F.leaky_relu(normed, 0.1),
    "elu": lambda normed, _read: F.elu(normed),
    "silu": lambda normed, _read: F.silu(normed),
    "gelu": lambda normed, _read: F.gelu(normed),
    "hardswish": lambda normed, _read: F.hardswish(normed),
    "mish": lambda normed, _read: F.mish(normed),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_end_of_a_stage_is_found_and_a_bias_stride_and_dilation_are_served(name, images):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = owned(Own(End(ENDS[name])), images)
    stage = last_stages(model, 1)[0].written
    assert stage is not None
    assert stage.activation.name == name
    after = erased(model, stage, images)
    assert means_apart(after, images, "end") < 0.15 * means_apart(model, images, "end")
    assert not after.network.conv.bias.any()


REFUSED = {
    "gated": lambda normed, _read: normed * normed.mean((2, 3), keepdim=True).sigmoid(),
    "read by two": lambda normed, read: (normed + read).relu(),
    "joined": lambda normed, read: torch.cat([normed, read], 1)[:, 4:12],
    "cut off above": lambda normed, _read: F.relu6(normed),
    "squashed": lambda normed, _read: normed.tanh(),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_stage_that_is_written_in_another_way_is_refused(name, images):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = owned(Own(End(REFUSED[name])), images)
    with pytest.raises(UsageError, match=r"mine.py:Mine, whose last ones \(end\) are written in another way$"):
        last_stages(model, 1)
    below, last = last_stages(model, 2)  # the one below can be erased all the same
    assert below.written is not None
    assert last.written is None


@pytest.mark.parametrize("source", ["timm:test_convnext", "timm:test_nfnet"])
def test_a_network_without_batch_norm_is_refused(source, images):
    with pytest.raises(UsageError, match=f"^Stage-wise erasure: expected .* a ResNet, got {source} without BatchNorm$"):
        last_stages(foreign(source, images), 1)


def test_our_own_transformer_is_refused():
    with pytest.raises(UsageError, match=r"got vit without BatchNorm$"):
        last_stages(build(ViTConfig(image_size=8)), 1)


class Twice(nn.Module):
    """Calls a BatchNorm twice, another never, and remembers nothing in a third."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.idle = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.BatchNorm2d(5)
        self.plain = nn.BatchNorm2d(3, track_running_stats=False)
        self.last, self.end, self.head = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Linear(4, CLASSES)

    def forward(self, x):
        return self.head(self.end(self.last(self.plain(self.norm(self.norm(self.conv(x)))))).mean((2, 3)))


def test_only_batch_norms_that_are_called_once_and_remember_are_asked(images):
    model = owned(Twice(), images)
    (norm,) = norms_of(model)
    assert norm is model.network.end
    assert len(moments(model, images)) == 1
    seen = dry_run(model)
    assert (seen.calls["network.norm"], seen.calls["network.idle"]) == (2, 0)
