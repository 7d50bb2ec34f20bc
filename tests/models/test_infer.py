from __future__ import annotations

import pytest
import torch

from zspag_core.errors import CheckpointError
from zspag_core.models import MODELS, build
from zspag_core.models.alexnet import AlexNetConfig
from zspag_core.models.convert import recognise
from zspag_core.models.infer import numbers, shape_of, vgg_sizes
from zspag_core.models.resnet import ResNetConfig
from zspag_core.models.vgg import VGGConfig
from zspag_core.models.vit import ViTConfig


@pytest.mark.parametrize(
    "config",
    [
        ResNetConfig(),
        MODELS["resnet_tiny"],
        ResNetConfig(num_classes=7, widths=(4, 8), blocks=(1, 3), bottleneck=True, imagenet_stem=True),
        ResNetConfig(widths=(64, 128), blocks=(1, 1), bottleneck=True, groups=4, width_per_group=8),
        AlexNetConfig(widths=(4, 6, 8, 6, 4), hidden=(12, 10), pooled=3, channels=1, mean=(0.1,), std=(0.1,)),
        ViTConfig(image_size=24, patch_size=3, width=12, depth=3, heads=2, hidden=7),
    ],
)
def test_sizes_that_the_weights_determine_are_those_of_the_config(config):
    model = build(config)
    found = recognise(model.state_dict(), heads_given=True)
    assert found.architecture == model.architecture
    expected = config.to_dict()
    for name, value in found.settings.items():
        assert (tuple(value) if isinstance(value, list) else value) == expected[name], name


@pytest.mark.parametrize("batch_norm", [True, False])
def test_vgg_sizes_are_those_of_a_vgg_that_ends_with_a_pooling(batch_norm):
    config = VGGConfig(layers=(4, 0, 6, 6, 0, 8, 0), batch_norm=batch_norm, hidden=(9,), pooled=3)
    found = vgg_sizes(build(config).state_dict())
    assert tuple(found["layers"]) == config.layers
    assert (found["batch_norm"], found["hidden"], found["pooled"]) == (batch_norm, [9], 3)


def test_numbers_takes_plain_decimal_numbers_only():
    names = ["a.0.w", "a.10.w", "a.2.w", "a.2.b", "a.02.w", "a.٣.w", "a.99999.w", "b.7.w"]
    assert numbers(names, r"a\.(\d{1,3})\.") == [0, 2, 10]


def test_shapes_that_are_missing_empty_or_of_other_dimensions_are_refused():
    weights = {"w": torch.zeros(2, 3), "empty": torch.zeros(2, 0)}
    assert shape_of(weights, "w", 2) == (2, 3)
    with pytest.raises(CheckpointError, match="lacks tensor 'v'"):
        shape_of(weights, "v", 2)
    with pytest.raises(CheckpointError, match=r"'w': expected 4 dimensions.*got shape \(2, 3\)"):
        shape_of(weights, "w", 4)
    with pytest.raises(CheckpointError, match="none of them empty"):
        shape_of(weights, "empty", 2)
