from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from zspag_core import batching
from zspag_core.batching import budget, bytes_of_one, images_at_once
from zspag_core.models import MODELS, build, named_config
from zspag_core.models.resnet import ResNetConfig

CPU = torch.device("cpu")


class Plain(nn.Module):
    """Keeps of an image what a hand can count: the input of a linear layer, and what a square is taken of."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(12, 5, bias=False)
        self.passes = 0

    def forward(self, images):
        self.passes += 1
        return self.linear(images.flatten(1)).pow(2)


@pytest.fixture(scope="module")
def imagenet_resnet18():
    sizes = {"widths": (64, 128, 256, 512), "blocks": (2, 2, 2, 2), "imagenet_stem": True}
    return build(ResNetConfig(image_size=224, **sizes)).eval()


def test_bytes_of_one_image_by_hand():
    model, images = Plain(), torch.zeros(9, 3, 2, 2)
    assert bytes_of_one(model, images) == 4 * (12 + 5)
    assert bytes_of_one(model, images.to(torch.uint8)) == 4 * (12 + 5)
    assert model.passes == 1


def test_each_network_and_each_shape_is_measured_for_itself():
    model = Plain()
    convolution = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU())
    assert bytes_of_one(convolution, torch.zeros(1, 3, 4, 4)) == 4 * bytes_of_one(convolution, torch.zeros(1, 3, 2, 2))
    bytes_of_one(model, torch.zeros(1, 3, 2, 2))
    assert bytes_of_one(copy.deepcopy(model), torch.zeros(1, 3, 2, 2)) == 4 * 17


def test_it_follows_the_number_of_pixels(imagenet_resnet18):
    small, large = (bytes_of_one(imagenet_resnet18, torch.zeros(1, 3, side, side)) for side in (112, 224))
    assert large == pytest.approx(4 * small, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_networks_for_small_images_take_what_the_device_likes(name):
    config = named_config(name)
    shape = (1, config.channels, config.image_size, config.image_size)
    assert images_at_once(build(config).eval(), torch.zeros(shape)) == 128


def test_of_large_images_fewer_go_together(imagenet_resnet18):
    images = torch.zeros(1, 3, 224, 224)
    count = images_at_once(imagenet_resnet18, images)
    assert count * bytes_of_one(imagenet_resnet18, images) <= budget(CPU)
    assert (count + 1) * bytes_of_one(imagenet_resnet18, images) > budget(CPU)
    assert images_at_once(imagenet_resnet18, images, most=3) == 3


def test_one_image_goes_through_whatever_it_takes(monkeypatch):
    monkeypatch.setattr(batching, "CPU_BYTES", 1)
    assert images_at_once(Plain(), torch.zeros(9, 3, 2, 2)) == 1


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_the_network_is_left_as_it_was(digits_model, state_of, assert_untouched, context):
    model = copy.deepcopy(digits_model).train()
    before = state_of(model)
    with context():
        assert bytes_of_one(model, torch.zeros(1, 1, 16, 16)) > 0
    assert_untouched(model, before)
    assert model.training


def test_a_network_in_double_takes_twice_as_much():
    single, double = Plain(), Plain().double()
    images = torch.zeros(1, 3, 2, 2)
    assert bytes_of_one(double, images.double()) == 2 * bytes_of_one(single, images)
