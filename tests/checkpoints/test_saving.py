from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open

from zspag_core.checkpoints import load_checkpoint, save_checkpoint


def test_round_trip_keeps_config_words_and_every_weight(tiny, tmp_path):
    about = {"data": "digits", "class_names": ["a", "b", "c"], "test_accuracy": 91.5}
    save_checkpoint(tmp_path / "m.safetensors", tiny, about)
    loaded = load_checkpoint(tmp_path / "m.safetensors")
    assert loaded.about == about
    assert loaded.model.config == tiny.config
    assert type(loaded.model) is type(tiny)
    assert not loaded.model.training
    for name, tensor in tiny.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], tensor), name
    images = torch.rand(2, tiny.config.channels, 16, 16)
    assert torch.equal(loaded.model(images), tiny(images))


def test_same_weights_give_the_same_bytes_whatever_the_order_and_memory_format(tiny, tmp_path):
    save_checkpoint(tmp_path / "a.safetensors", tiny, {"b": 1, "a": 2})
    save_checkpoint(tmp_path / "b.safetensors", tiny.to(memory_format=torch.channels_last).train(), {"a": 2, "b": 1})
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_header_holds_format_architecture_config_and_about_only(resnet, tmp_path):
    save_checkpoint(tmp_path / "m.safetensors", resnet, {"data": "digits"})
    with safe_open(str(tmp_path / "m.safetensors"), framework="pt") as file:
        metadata = file.metadata()
        assert set(file.keys()) == set(resnet.state_dict())
        assert file.get_tensor("head.weight").dtype == torch.float32
    assert list(metadata) == ["zspag"]
    header = json.loads(metadata["zspag"])
    assert sorted(header) == ["about", "architecture", "config", "format"]
    assert (header["format"], header["architecture"], header["about"]) == ("zspag-1", "resnet", {"data": "digits"})


def test_half_precision_is_stored_as_float32(resnet, tmp_path):
    save_checkpoint(tmp_path / "m.safetensors", resnet.half(), {})
    with safe_open(str(tmp_path / "m.safetensors"), framework="pt") as file:
        assert file.get_tensor("stem.0.weight").dtype == torch.float32
        assert file.get_tensor("stem.1.num_batches_tracked").dtype == torch.int64


def test_weights_that_share_memory_are_stored_apart(resnet, tmp_path):
    block = resnet.stages[1][1]
    block.convs[1][0].weight = block.convs[0][0].weight
    save_checkpoint(tmp_path / "m.safetensors", resnet, {})
    state = load_checkpoint(tmp_path / "m.safetensors").model.state_dict()
    assert torch.equal(state["stages.1.1.convs.1.0.weight"], state["stages.1.1.convs.0.0.weight"])


def test_words_that_json_cannot_say_leave_an_existing_file_untouched(resnet, tmp_path):
    (tmp_path / "m.safetensors").write_bytes(b"before")
    with pytest.raises(TypeError):
        save_checkpoint(tmp_path / "m.safetensors", resnet, {"when": object()})
    with pytest.raises(ValueError, match="JSON compliant"):
        save_checkpoint(tmp_path / "m.safetensors", resnet, {"loss": float("nan")})
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("m.safetensors", b"before")]


def test_no_temporary_file_stays_behind_when_writing_fails(resnet, tmp_path):
    (tmp_path / "m.safetensors").mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(OSError, match="directory"):
        save_checkpoint(tmp_path / "m.safetensors", resnet, {})
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]
