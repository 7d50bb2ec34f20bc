from __future__ import annotations

import pytest
import torch

from zspag_core.checkpoints.configs import blueprint, checked_config
from zspag_core.errors import CheckpointError
from zspag_core.models import MODELS
from zspag_core.models.resnet import ResNetConfig
from zspag_core.models.vgg import VGGConfig
from zspag_core.models.vit import ViTConfig


def test_a_config_comes_back_from_its_json_values():
    config = ResNetConfig(num_classes=7, widths=(4, 8), blocks=(1, 2), mean=(0.0, 0.1, 0.2))
    settings = config.to_dict() | {"widths": [4, 8], "blocks": [1, 2], "mean": [0, 0.1, 0.2]}
    assert checked_config("resnet", settings) == config
    assert checked_config("resnet", {}) == ResNetConfig()


@pytest.mark.parametrize(
    ("architecture", "settings", "message"),
    [
        ("transformer", {}, "architecture: expected one of .*resnet.*, got 'transformer'"),
        (["resnet"], {}, "architecture"),
        (None, {}, "architecture"),
        ("resnet", [1], "config: expected names and values, got list"),
        ("resnet", {"depth": 3}, "config of resnet: no field is called 'depth'"),
        ("resnet", {"num_classes": "10"}, "field num_classes: expected int, got '10'"),
        ("resnet", {"num_classes": 10.0}, "field num_classes: expected int, got 10.0"),
        ("resnet", {"num_classes": True}, "field num_classes: expected int, got True"),
        ("resnet", {"num_classes": 10**400}, "field num_classes: expected 1 to 16384"),
        ("resnet", {"num_classes": 1}, "num_classes: expected 2 to 1000"),
        ("resnet", {"image_size": 4}, "image_size: expected 8"),
        ("resnet", {"channels": 2}, "channels: expected 1 or 3"),
        ("resnet", {"widths": 64}, "field widths: expected a list"),
        ("resnet", {"widths": [64] * 257}, "field widths: expected a list of at most 256"),
        ("resnet", {"widths": [64, None, 3]}, "field widths: expected int, got None"),
        ("resnet", {"blocks": [2, 10**9, 2]}, "field blocks: expected 1 to 200"),
        ("resnet", {"blocks": [200, 200, 200]}, "field blocks: expected at most 400 in all, got 600"),
        ("resnet", {"bottleneck": 1}, "field bottleneck: expected bool, got 1"),
        ("resnet", {"std": [0.0, 0.1, 0.1]}, "field std: expected 1e-06 to 1000, got 0.0"),
        ("resnet", {"mean": [float("nan"), 0.1, 0.1]}, "field mean: expected -1000 to 1000, got nan"),
        ("resnet", {"mean": [0.5]}, "as many means"),
        ("alexnet", {"hidden": [8]}, "field hidden: expected 2 values, got 1"),
        ("alexnet", {"dropout": 1.5}, "field dropout: expected 0 to 0.99"),
        ("vit", {"depth": 10**9}, "field depth: expected 1 to 200"),
        ("vit", {"heads": 0}, "field heads: expected 1 to 16384, got 0"),
        ("vit", {"norm_epsilon": float("inf")}, "field norm_epsilon"),
    ],
)
def test_untrusted_configs_are_refused_by_a_sentence(architecture, settings, message):
    with pytest.raises(CheckpointError, match=message):
        checked_config(architecture, settings)


@pytest.mark.parametrize("name", MODELS)
def test_every_named_size_passes_and_its_blueprint_holds_no_memory(name):
    model = blueprint(MODELS[name], 2e8)
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"meta"}


@pytest.mark.slow
def test_parameters_are_counted_before_any_is_made():
    enormous = ViTConfig(width=16_384, heads=4, hidden=16_384, depth=200)  # 3 · 10^11 weights, a terabyte
    with pytest.raises(CheckpointError, match=r"describes 32\d,\d{3},\d{3},\d{3} parameters, over the 200,000,000"):
        blueprint(enormous, 2e8)


def test_numbers_of_parameters_near_64_bits_are_counted():
    with pytest.raises(CheckpointError, match=r"72,0.* parameters, over the 1 allowed"):
        blueprint(VGGConfig(layers=(16_384,), hidden=(16_384,), pooled=16_384), 1)


@pytest.mark.parametrize(
    "config",
    [
        ResNetConfig(widths=(4, 8), blocks=(1,)),
        ResNetConfig(widths=(), blocks=()),
        ResNetConfig(bottleneck=True, widths=(64, 8), blocks=(1, 1), width_per_group=4),
        ViTConfig(patch_size=5),
        ViTConfig(heads=3),
        VGGConfig(layers=(4, *(0,) * 6)),
    ],
)
def test_sizes_that_do_not_fit_each_other_are_refused(config):
    with pytest.raises(CheckpointError, match="describes no working network"):
        blueprint(config, 2e8)


def test_a_blueprint_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    blueprint(MODELS["vit_small"], 2e8)
    assert torch.equal(torch.get_rng_state(), before)
