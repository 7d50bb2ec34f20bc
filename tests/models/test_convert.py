"""Weights of torchvision's own models must give torchvision's own logits."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models as reference

from zspag_core.checkpoints import load_checkpoint
from zspag_core.errors import CheckpointError
from zspag_core.models.convert import recognise
from zspag_core.models.resnet import ResNetConfig


def _resnet(block, blocks, **options):
    """A torchvision ResNet, so shallow that a test stays quick."""
    return reference.ResNet(block, blocks, **options)


def _cifar_resnet18():
    model = reference.resnet18(num_classes=10)
    model.conv1, model.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    return model


def _vit():
    return reference.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=128, mlp_dim=96, num_classes=9
    )


Basic, Bottleneck = reference.resnet.BasicBlock, reference.resnet.Bottleneck
NETS = {
    "resnet18": (lambda: reference.resnet18(num_classes=7), 64),
    "resnet18 for CIFAR": (_cifar_resnet18, 32),
    "resnet34's blocks": (lambda: _resnet(Basic, [1, 2, 1, 1], num_classes=4), 64),
    "resnet50's blocks": (lambda: _resnet(Bottleneck, [2, 1, 1, 1], num_classes=4), 64),
    "wide resnet": (lambda: _resnet(Bottleneck, [1, 1, 1, 1], num_classes=4, width_per_group=128), 64),
    "resnext": (lambda: _resnet(Bottleneck, [1, 1, 1, 1], num_classes=4, groups=32, width_per_group=4), 64),
}
SLOW_NETS = {
    "resnet50": (lambda: reference.resnet50(num_classes=7), 96),
    "vgg11_bn": (lambda: reference.vgg11_bn(num_classes=7, init_weights=False), 64),
}


def _randomised(model):
    """Give every tensor that starts at 0 or 1 another value, so that a tensor left out shows."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.ndim == 1:
                low, high = (0.5, 1.5) if name.endswith(("weight", "running_var")) else (-0.2, 0.2)
                tensor.uniform_(low, high, generator=generator)
    for name, parameter in model.named_parameters():
        if name == "heads.head.weight":
            nn.init.normal_(parameter, std=0.1, generator=generator)
    return model.eval()


def _check_same_logits(model, side, folder, **reading):
    torch.save({"state_dict": {f"module.{name}": value for name, value in model.state_dict().items()}}, folder / "m.pt")
    ours = load_checkpoint(folder / "m.pt", limit_mb=700, **reading).model
    images = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        theirs = model((images - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1))
        scale = theirs.abs().max().clamp(min=1)
        assert theirs.std() > 1e-3
        assert ((ours(images) - theirs).abs() / scale).max() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_torchvision_weights_give_torchvision_logits(name, tmp_path):
    make, side = NETS[name]
    _check_same_logits(_randomised(make()), side, tmp_path)


RETURNED = {
    **{name: make for name, (make, _) in NETS.items()},
    "vit": _vit,
    "vgg": lambda: _small_vgg(batch_norm=True, pooled=1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RETURNED)
def test_a_network_that_was_trained_anew_goes_back_whole(name):
    """Also counters of batches, which a method that trains with BatchNorm moves and others leave alone."""
    before, anew = RETURNED[name](), _randomised(RETURNED[name]())
    counters = {part: value for part, value in anew.state_dict().items() if part.endswith("num_batches_tracked")}
    for counter in counters.values():
        counter.add_(3)
    there, again = (recognise(network.state_dict(), heads_given=True) for network in (before, anew))
    back = there.owner_weights(again.weights, before.state_dict())
    assert all(torch.equal(back[part], value) for part, value in counters.items())
    before.eval().load_state_dict(back)
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(before(images), anew(images), rtol=1e-4, atol=1e-4)


def test_a_vit_of_unusual_width_gives_torchvision_logits_with_its_heads(tmp_path):
    _check_same_logits(_randomised(_vit()), 32, tmp_path, heads=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW_NETS)
def test_large_torchvision_weights_give_torchvision_logits(name, tmp_path):
    make, side = SLOW_NETS[name]
    _check_same_logits(_randomised(make()), side, tmp_path)


NARROW_VGG = [4, "M", 6, "M", 8, 10, "M", 9, 7, "M", 8, 6, "M"]  # the convolutions and poolings of VGG-11


def _small_vgg(*, batch_norm, pooled=7, layers=NARROW_VGG):
    """torchvision's VGG with narrow layers, and the fully connected ones cut to size."""
    model = reference.VGG(reference.vgg.make_layers(layers, batch_norm=batch_norm), num_classes=5, init_weights=False)
    model.avgpool = nn.AdaptiveAvgPool2d(pooled)
    model.classifier = nn.Sequential(
        *(nn.Linear(6 * pooled**2, 12), nn.ReLU(), nn.Dropout(), nn.Linear(12, 10), nn.ReLU(), nn.Dropout()),
        nn.Linear(10, 5),
    )
    return model


@pytest.mark.slow
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize(("pooled", "image_size"), [(7, 224), (1, 32)])
def test_vgg_pooling_is_read_off_the_gaps_between_layers(batch_norm, pooled, image_size, tmp_path):
    model = _randomised(_small_vgg(batch_norm=batch_norm, pooled=pooled))
    _check_same_logits(model, 64, tmp_path)
    found = recognise(model.state_dict())
    assert found.settings["layers"] == [0 if width == "M" else width for width in NARROW_VGG]
    assert (found.settings["hidden"], found.settings["pooled"]) == ([12, 10], pooled)
    assert found.assumed["image_size"] == image_size


@pytest.mark.slow
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": [4, "M", 8, 8, "M", 6, "M"]}, "its 4 convolutions do not come as in VGG-11, 13, 16 or 19"),
        ({"layers": [4, 6, "M", 6, "M", 8, 8, "M", 8, 6, "M"]}, "its 7 convolutions do not come as in VGG-11"),
        ({"pooled": 2}, "do not show what brings its last map to 2x2 places"),
    ],
)
def test_other_networks_with_the_names_of_a_vgg_are_refused(batch_norm, options, message):
    weights = _small_vgg(batch_norm=batch_norm, **options).state_dict()
    with pytest.raises(CheckpointError, match=message):
        recognise(weights)


@pytest.mark.slow
def test_a_vgg_with_one_linear_layer(tmp_path):
    model = _small_vgg(batch_norm=True)
    model.avgpool, model.classifier = nn.AdaptiveAvgPool2d(1), nn.Linear(6, 5)
    _check_same_logits(_randomised(model), 32, tmp_path)


@pytest.mark.slow
def test_the_common_cifar_names_of_a_resnet(tmp_path):
    model = _randomised(_cifar_resnet18())
    state = {
        name.replace("downsample", "shortcut").replace("fc.", "linear."): v for name, v in model.state_dict().items()
    }
    torch.save(state, tmp_path / "m.pt")
    loaded = load_checkpoint(tmp_path / "m.pt", mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(loaded.model(images), model((images - 0.5) / 0.2), atol=1e-5, rtol=1e-5)
    assert loaded.about == {
        "origin": "torchvision ResNet",
        "assumed": {"image_size": 32},
        "told": {"mean": [0.5] * 3, "std": [0.2] * 3},
        "stated": ["mean", "std"],
    }
    expected = ResNetConfig(widths=(64, 128, 256, 512), blocks=(2, 2, 2, 2), mean=(0.5,) * 3, std=(0.2,) * 3)
    assert loaded.model.config == expected


@pytest.mark.slow
def test_missing_batch_counters_are_no_obstacle(tmp_path):
    state = {name: v for name, v in _cifar_resnet18().state_dict().items() if "num_batches_tracked" not in name}
    torch.save(state, tmp_path / "m.pt")
    assert load_checkpoint(tmp_path / "m.pt").model.stem[1].num_batches_tracked == 0


def test_the_number_of_heads_is_torchvisions_or_given(tmp_path):
    torch.save(_vit().state_dict(), tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=r"its width 128 is not one of .* \(768, 1024, 1280\): pass heads"):
        load_checkpoint(tmp_path / "m.pt")
    loaded = load_checkpoint(tmp_path / "m.pt", heads=4)
    assert loaded.model.config.heads == 4
    assert "heads" not in loaded.about["assumed"]
    assert loaded.about["told"] == {"heads": 4}
    found = recognise(_vit_shapes(6), heads_given=True)
    assert (found.settings["image_size"], found.assumed["mean"]) == (8, (0.449,))


@pytest.mark.parametrize(("width", "heads"), [(768, 12), (1024, 16), (1280, 16)])
def test_heads_of_torchvision_s_own_widths_are_assumed(width, heads):
    assert recognise(_vit_shapes(width)).assumed["heads"] == heads


def _vit_shapes(width):
    """Return the weights of a torchvision ViT that show its sizes."""
    return {
        "class_token": torch.zeros(1, 1, width),
        "encoder.pos_embedding": torch.zeros(1, 17, width),
        "conv_proj.weight": torch.zeros(width, 1, 2, 2),
        "heads.head.weight": torch.zeros(3, width),
        "encoder.layers.encoder_layer_0.mlp.0.weight": torch.zeros(5, width),
    }


def test_a_vit_cannot_be_given_another_image_size(tmp_path):
    torch.save(_vit().state_dict(), tmp_path / "m.pt")
    with pytest.raises(
        CheckpointError, match=r"'encoder.pos_embedding': expected shape \(1, 65, 128\), got \(1, 17, 128\)"
    ):
        load_checkpoint(tmp_path / "m.pt", image_size=64, heads=2)


def _conv(*shape):
    return torch.zeros(shape)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "not those of torchvision's ResNet, VGG or ViT.*the file is empty"),
        ({"lstm.weight": _conv(2)}, "the first is 'lstm.weight'"),
        ({"features.0.weight": _conv(64, 3, 11, 11)}, "expected 3x3 kernels as in VGG, got 11x11"),
        ({"features.0.weight": _conv(64)}, "'features.0.weight': expected 4 dimensions"),
        ({"features.0.weight": _conv(4, 3, 3, 3)}, "lacks tensor 'classifier.weight'"),
        (
            {"features.0.weight": _conv(4, 3, 3, 3), "features.9.weight": _conv(4, 4, 3, 3)},
            "convs.0 and convs.9: expected 2 or 3",
        ),
        ({"features.0.weight": _conv(4, 3, 3, 3), "convs.0.weight": _conv(4)}, "two of its tensors"),
        ({"layer1.0.conv1.weight": _conv(4, 4, 3, 3)}, "lacks tensor 'conv1.weight'"),
        ({"layer1.0.conv1.weight": _conv(4, 4, 3, 3), "conv1.weight": _conv(0, 3, 3, 3)}, "none of them empty"),
        ({"encoder.pos_embedding": _conv(1, 18, 8), "conv_proj.weight": _conv(8, 3, 4, 4)}, "square number of patches"),
        (
            {
                "encoder.pos_embedding": _conv(1, 17, 8),
                "encoder.layers.encoder_layer_0.self_attention.in_proj_bias": _conv(7),
            },
            "three parts of equal length",
        ),
        ({"class_token": _conv(1, 1, 8)}, "attention heads it has: pass heads or the config"),
        ({"convs.0.weight": _conv(4, 3, 3, 3)}, "where a VGG pools: pass the config"),
    ],
)
def test_other_weights_are_refused_by_a_sentence(weights, message):
    with pytest.raises(CheckpointError, match=message):
        recognise(weights)
