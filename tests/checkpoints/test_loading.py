from __future__ import annotations

import hashlib
import json

import pytest
import torch
from safetensors.torch import save_file

from zspag_core.checkpoints import load_checkpoint, save_checkpoint
from zspag_core.errors import CheckpointError, UsageError
from zspag_core.models import ModelConfig


def test_the_hash_is_that_of_the_file(resnet, tmp_path):
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, resnet, {})
    assert load_checkpoint(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_bare_state_dict_needs_the_config(tiny, tmp_path):
    torch.save(tiny.state_dict(), tmp_path / "m.pt")
    loaded = load_checkpoint(str(tmp_path / "m.pt"), config=tiny.config)
    images = torch.rand(2, tiny.config.channels, 16, 16)
    assert torch.equal(loaded.model(images), tiny(images))
    assert loaded.about == {"origin": "state_dict"}


def test_a_dictionary_with_architecture_and_config_is_enough(tiny, tmp_path):
    payload = {
        "architecture": tiny.architecture,
        "config": tiny.config.to_dict(),
        "state_dict": tiny.state_dict(),
        "about": {"data": "digits"},
    }
    torch.save(payload, tmp_path / "m.pt")
    loaded = load_checkpoint(tmp_path / "m.pt")
    assert loaded.model.config == tiny.config
    assert loaded.about == {"data": "digits"}


def test_our_own_names_are_recognised_and_what_was_assumed_is_said(resnet, tmp_path):
    torch.save({"net": {f"module.{name}": value for name, value in resnet.state_dict().items()}}, tmp_path / "m.pt")
    loaded = load_checkpoint(tmp_path / "m.pt", image_size=16, mean=(0.1,))
    assert loaded.about == {
        "origin": "state_dict",
        "assumed": {"std": [0.25]},
        "told": {"image_size": 16, "mean": [0.1]},
        "stated": ["image_size", "mean"],
    }
    assert loaded.model.config.mean == (0.1,)
    loaded = load_checkpoint(tmp_path / "m.pt", image_size=16, mean=(0.1,), std=(0.3,))
    assert loaded.model.config == resnet.config
    assert loaded.about["assumed"] == {}


def test_given_values_win_over_the_header(resnet, tmp_path):
    save_checkpoint(tmp_path / "m.safetensors", resnet, {})
    config = load_checkpoint(tmp_path / "m.safetensors", image_size=32, mean=[0.2], std=[0.4]).model.config
    assert (config.image_size, config.mean, config.std) == (32, (0.2,), (0.4,))
    with pytest.raises(CheckpointError, match="config of resnet: no field is called 'heads'"):
        load_checkpoint(tmp_path / "m.safetensors", heads=4)


def _header(**changes):
    config = {
        "num_classes": 3,
        "image_size": 16,
        "channels": 1,
        "mean": [0.1],
        "std": [0.3],
        "widths": [4, 8],
        "blocks": [1, 2],
    }
    return {"format": "zspag-1", "architecture": "resnet", "config": config, "about": {}} | changes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("header", "message"),
    [
        (_header(architecture="lstm"), "architecture: expected one of"),
        (_header(config=None), "config: expected names and values, got NoneType"),
        (
            _header(config={"widths": [16_384] * 5, "blocks": [3] * 5}),
            "parameters, over the 1,000,000,000 allowed",
        ),
        (_header(config={"num_classes": 5}), "lacks tensor"),
        (_header(about=[1]), "about: expected names and values, got list"),
        (_header(about={"class_names": ["a", "b"]}), "class_names: expected 3 names"),
        (_header(about={"class_names": ["a", "b", 3]}), "class_names: expected 3 names"),
        (_header(about={"accuracy": float("nan")}), "about: expected plain JSON values"),
    ],
)
def test_headers_are_not_trusted(header, message, resnet, tmp_path):
    path = tmp_path / "m.safetensors"
    save_file(resnet.state_dict(), path, metadata={"zspag": json.dumps(header)})
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


def test_the_same_header_unchanged_is_accepted(resnet, tmp_path):
    save_file(resnet.state_dict(), tmp_path / "m.safetensors", metadata={"zspag": json.dumps(_header())})
    assert load_checkpoint(tmp_path / "m.safetensors").model.config == resnet.config


def test_a_refusal_is_one_line_that_names_the_file_and_no_folder(resnet, tmp_path):
    torch.save(resnet.state_dict() | {"head.weight": torch.ones(3, 9)}, tmp_path / "my model.pt")
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path / "my model.pt", config=resnet.config)
    assert str(caught.value) == "my model.pt: tensor 'head.weight': expected shape (3, 8), got (3, 9)"


def test_the_limit_holds_for_the_file(resnet, tmp_path):
    save_checkpoint(tmp_path / "m.safetensors", resnet, {})
    with pytest.raises(CheckpointError, match=r"more than the limit of 0\.001 MB"):
        load_checkpoint(tmp_path / "m.safetensors", limit_mb=0.001)


def test_a_config_of_no_architecture_is_refused(resnet, tmp_path):
    torch.save(resnet.state_dict(), tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match="architecture: expected one of"):
        load_checkpoint(tmp_path / "m.pt", config=ModelConfig())


@pytest.mark.parametrize("reading", [{"mean": (119.0,)}, {"std": [61.0]}])
def test_normalisation_of_pixels_from_0_to_255_is_refused(reading, resnet, tmp_path):
    torch.save(resnet.state_dict(), tmp_path / "m.pt")
    with pytest.raises(UsageError, match=r"expected numbers for pixels from 0 to 1, got \d+; \d+ of 255 is 0\.\d+"):
        load_checkpoint(tmp_path / "m.pt", **reading)


@pytest.mark.parametrize("lacks", [True, False])
def test_another_network_with_names_like_ours_is_to_be_named(resnet, tmp_path, lacks):
    weights = resnet.state_dict() | {"extra.weight": torch.zeros(3)}
    if lacks:
        weights.pop(next(name for name in weights if "stages" in name))
    torch.save(weights, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=r"name the network with --model torchvision:NAME"):
        load_checkpoint(tmp_path / "m.pt")
