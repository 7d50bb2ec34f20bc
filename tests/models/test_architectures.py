"""What every architecture must do, whatever it is."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from zspag_core.errors import UsageError
from zspag_core.models import ARCHITECTURES, MODELS, ModelConfig, build, config_from_dict, named_config
from zspag_core.models.alexnet import AlexNetConfig
from zspag_core.models.resnet import ResNetConfig
from zspag_core.models.vgg import VGGConfig
from zspag_core.models.vit import ViTConfig

GREY = {"channels": 1, "mean": (0.4,), "std": (0.2,)}
CONFIGS = {
    "alexnet": AlexNetConfig(num_classes=5, image_size=32, widths=(4, 6, 8, 6, 4), hidden=(12, 10)),
    "alexnet grey": AlexNetConfig(num_classes=2, image_size=8, widths=(4, 6, 8, 6, 4), hidden=(12, 10), **GREY),
    "vgg": VGGConfig(num_classes=5, image_size=24, layers=(4, 0, 6, 6, 0)),
    "vgg plain": VGGConfig(
        num_classes=5, image_size=16, layers=(4, 0, 6), batch_norm=False, hidden=(9, 7), pooled=2, **GREY
    ),
    "resnet": ResNetConfig(num_classes=5, image_size=20, widths=(4, 8), blocks=(2, 1)),
    "resnet bottleneck": ResNetConfig(num_classes=5, widths=(4, 8), blocks=(1, 2), bottleneck=True, imagenet_stem=True),
    "resnext": ResNetConfig(num_classes=5, widths=(64,), blocks=(1,), bottleneck=True, groups=4, width_per_group=2),
    "vit": ViTConfig(num_classes=5, image_size=16, width=8, depth=2, heads=2, hidden=12),
    "vit grey": ViTConfig(num_classes=2, image_size=8, patch_size=2, width=6, depth=1, heads=3, hidden=5, **GREY),
}


@pytest.fixture(params=CONFIGS)
def config(request):
    return CONFIGS[request.param]


@pytest.fixture
def model(config):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # an unlucky draw can leave a small ReLU network without any gradient
        return build(config).eval()


@pytest.fixture
def images(config):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(3, config.channels, config.image_size, config.image_size, generator=generator)


def test_forward_gives_one_logit_per_class(model, config, images):
    assert model(images).shape == (3, config.num_classes)


def test_head_of_embedding_is_forward(model, images):
    features = model.embed(images)
    assert features.shape == (3, model.head.in_features)
    assert torch.equal(model.head(features), model(images))


def test_normalisation_happens_inside(model, config, images):
    mean, std = torch.tensor(config.mean).view(1, -1, 1, 1), torch.tensor(config.std).view(1, -1, 1, 1)
    assert torch.allclose(model.normalise(images), (images - mean) / std)
    assert not {"mean", "std"} & set(model.state_dict())


def test_every_parameter_and_the_image_receive_a_gradient(model, images):
    images.requires_grad_()
    weights = torch.linspace(1, 2, model.config.num_classes)
    (model(images).log_softmax(1) * weights).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    for name, parameter in model.named_parameters():
        if not name.endswith("k.bias"):  # softmax ignores what is added to all scores alike
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_training_mode_runs(model, images):
    assert torch.isfinite(model.train()(images)).all()


def test_cam_layers_give_maps(model, images):
    assert model.cam_layers
    for name, layer in model.cam_layers.items():
        seen = []
        handle = layer.register_forward_hook(lambda _module, _inputs, output, seen=seen: seen.append(output))
        model(images)
        handle.remove()
        activation = model.cam_reshape(seen[0]) if model.cam_reshape else seen[0]
        assert len(seen) == 1, name
        assert activation.ndim == 4, name
        assert activation.shape[0] == 3, name
        assert activation.shape[2] == activation.shape[3] >= 1, name


def test_vit_maps_keep_patches_in_place():
    model = build(CONFIGS["vit"])
    tokens = torch.arange(17.0).view(1, 17, 1).expand(1, 17, 8)  # class token 0, patches 1 to 16 row by row
    assert torch.equal(model.cam_reshape(tokens)[0, 0], torch.arange(1.0, 17.0).view(4, 4))


def test_a_config_survives_json(model, config):
    settings = json.loads(json.dumps(config.to_dict()))
    assert config_from_dict(model.architecture, settings) == config
    assert ARCHITECTURES[model.architecture] == (type(model), type(config))


def test_weights_come_from_the_seed(config):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        first = build(config).state_dict()
        torch.manual_seed(3)
        second = build(config).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alexnet", ["convs.0.weight", "convs.4.bias", "hidden.0.weight", "hidden.1.bias", "head.weight", "head.bias"]),
        ("vgg11", ["convs.0.weight", "convs.1.running_mean", "convs.25.weight", "convs.26.weight", "head.weight"]),
        ("vgg11_narrow", ["convs.0.weight", "convs.26.num_batches_tracked", "head.weight", "head.bias"]),
        (
            "resnet_small",
            ["stem.0.weight", "stem.1.bias", "stages.1.0.shortcut.0.weight", "stages.3.0.convs.1.0.weight"],
        ),
        ("resnet18", ["stages.3.1.convs.1.1.running_var", "stages.3.0.shortcut.1.weight", "head.weight"]),
        (
            "vit_small",
            ["class_token", "positions", "patches.weight", "blocks.5.attention.q.weight", "blocks.0.up.bias"],
        ),
    ],
)
def test_names_that_saved_checkpoints_rely_on(name, expected):
    assert set(expected) <= set(build(MODELS[name]).state_dict())


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("resnet_small", 1_228_970),
        ("resnet_medium", 2_797_610),
        ("resnet18", 11_173_962),
        ("vgg11", 9_228_362),
        ("vit_small", 811_146),
        ("alexnet", 4_560_714),
    ],
)
def test_parameter_counts(name, count):
    """ResNet-18's is the usual one for CIFAR-10; the others guard saved checkpoints."""
    assert sum(parameter.numel() for parameter in build(MODELS[name]).parameters()) == count


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_classes": 1}, "num_classes: expected 2 to 1000, got 1"),
        ({"std": (0.0, 0.2, 0.2)}, "std: expected deviations above 0"),
        ({"mean": (float("nan"),) * 3}, "std: expected deviations above 0 beside means"),
        ({"num_classes": 1001}, "got 1001"),
        ({"image_size": 7}, "image_size: expected 8 to 1024 pixels, got 7"),
        ({"channels": 2}, "channels: expected 1 or 3"),
        ({"mean": (0.5,)}, "as many means"),
        ({"std": (0.5,)}, "as many means"),
    ],
)
def test_sizes_out_of_range_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        ResNetConfig(**wrong)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ResNetConfig(widths=(4, 8), blocks=(1,)), "blocks: expected one number per width"),
        (
            ResNetConfig(bottleneck=True, widths=(8,), blocks=(1,), width_per_group=4),
            "width_per_group: expected at least 8",
        ),
        (ViTConfig(patch_size=5), "patch size that divides 32"),
        (ViTConfig(heads=3), "heads that divide 128"),
        (VGGConfig(image_size=16), "at least one pixel after every pooling"),
    ],
)
def test_sizes_that_contradict_each_other_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        build(config)


def test_named_sizes():
    assert named_config("resnet18", num_classes=7).num_classes == 7
    assert named_config("resnet18", num_classes=7).widths == MODELS["resnet18"].widths
    with pytest.raises(UsageError, match=r"expected one of alexnet.*got 'lstm'"):
        named_config("lstm")


def test_unknown_architectures_fields_and_configs_are_refused():
    with pytest.raises(ValueError, match="architecture: expected one of"):
        config_from_dict("lstm", {})
    with pytest.raises(ValueError, match="unknown fields deepness"):
        config_from_dict("vit", {"deepness": 3})
    with pytest.raises(TypeError, match="got ModelConfig"):
        build(ModelConfig())


def test_attention_matches_pytorchs_own():
    torch_layer = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    attention = build(CONFIGS["vit"]).blocks[0].attention
    with torch.no_grad():
        for part, layer in zip(
            torch_layer.in_proj_weight.chunk(3), (attention.q, attention.k, attention.v), strict=True
        ):
            layer.weight.copy_(part)
            layer.bias.zero_()
        attention.out.load_state_dict(torch_layer.out_proj.state_dict())
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(attention(x), torch_layer(x, x, x, need_weights=False)[0], atol=1e-6)
