from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from zspag_core.checkpoints.contents import read_contents
from zspag_core.errors import CheckpointError


@pytest.fixture
def folder(tmp_path):
    """A model folder of transformers."""
    path = tmp_path / "model"
    path.mkdir()
    save_file({"vit.w": torch.ones(3, 2), "classifier.bias": torch.ones(2)}, path / "model.safetensors")
    config = {"model_type": "vit", "architectures": ["ViTForImageClassification"], "id2label": {"0": "ant", "1": "bee"}}
    (path / "config.json").write_text(json.dumps(config))
    return path


def test_settings_are_facts(folder):
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.4] * 3}))
    contents = read_contents(folder, 1)
    assert set(contents.weights) == {"vit.w", "classifier.bias"}
    assert (contents.header, contents.notes) == (None, ())
    assert contents.hints["class_names"] == ["ant", "bee"]
    assert (contents.hints["mean"], contents.hints["std"]) == ([0.5] * 3, [0.4] * 3)
    assert contents.hints["hf_config"]["model_type"] == "vit"
    assert contents.hints["preprocessor"]["image_mean"] == [0.5] * 3


def test_a_timm_folder_names_its_architecture(folder):
    config = {
        "architecture": "resnet18",
        "num_classes": 2,
        "label_names": ["a", "b"],
        "pretrained_cfg": {"input_size": [3, 64, 64], "mean": [0.1] * 3, "std": [0.2] * 3},
    }
    (folder / "config.json").write_text(json.dumps(config))
    hints = read_contents(folder, 1).hints
    assert hints["timm_config"] == config
    assert "hf_config" not in hints
    assert (hints["arch"], hints["image_size"], hints["mean"], hints["class_names"]) == (
        "resnet18",
        64,
        [0.1] * 3,
        ["a", "b"],
    )


def test_safetensors_are_taken_before_pickles_and_the_rest_is_left(folder):
    torch.save({"other": torch.ones(1)}, folder / "pytorch_model.bin")
    (folder / "README.md").write_text("hello")
    (folder / "big.json").write_bytes(b" " * 2_000_001)
    contents = read_contents(folder, 1)
    assert set(contents.weights) == {"vit.w", "classifier.bias"}
    assert contents.container.notes == ("without big.json, pytorch_model.bin, which lay in the folder",)
    written = contents.container.write(folder.parent, "unlearned", contents.weights)
    assert sorted(path.name for path in written.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    contents.container.write(folder.parent, "unlearned", contents.weights)  # over an older one
    assert sorted(path.name for path in folder.parent.iterdir()) == ["model", "unlearned"]


def test_code_in_the_folder_is_never_run(folder):
    (folder / "modeling_vit.py").write_text("raise SystemExit")
    assert read_contents(folder, 1).notes == ("the folder holds code that is not run: modeling_vit.py",)
    config = json.loads((folder / "config.json").read_text()) | {"auto_map": {"AutoModel": "modeling_vit.Net"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"auto_map\), which is never run; give model\.safetensors alone"):
        read_contents(folder, 1)


def test_a_pickle_in_a_folder_that_would_run_code_is_refused(folder):
    (folder / "model.safetensors").unlink()
    torch.save({"w": torch.ones(1), "call": print}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin: refused, because it would run code \(print\)"):
        read_contents(folder, 1)


@pytest.mark.parametrize(
    ("weight_map", "words"),
    [
        (None, "expected a weight_map"),
        ({"w": 3}, "expected a weight_map"),
        ({"w": "missing.safetensors"}, "names 'missing.safetensors', which is not in the folder"),
        ({"w": "../secret.safetensors"}, "names '../secret.safetensors', which is not in the folder"),
        ({"w": "x" * 5000}, "names 'xx+', which is not in the folder"),  # longer than a name may be on any disk
    ],
)
def test_wrong_indices_are_refused(weight_map, words, folder):
    (folder / "model.safetensors").rename(folder.parent / "secret.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(CheckpointError, match=words):
        read_contents(folder, 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "config.json is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b" " * 10_000_001, "config.json is over 10 MB"),
    ],
)
def test_wrong_settings_are_refused(content, words, folder):
    (folder / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        read_contents(folder, 1)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("saved_model.pb", "a TensorFlow SavedModel"),
        ("adapter_config.json", r"an adapter \(LoRA\)"),
        ("tf_model.h5", "only there as tf_model.h5; .* from_tf=True"),
        ("flax_model.msgpack", "only there as flax_model.msgpack; .* from_flax=True"),
        ("train.py", "expected config.json beside model.safetensors"),
    ],
)
@pytest.mark.parametrize("configured", [True, False])
def test_folders_without_weights_are_named(name, words, configured, tmp_path):
    (tmp_path / name).write_bytes(b"x")
    if configured:
        (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=words):
        read_contents(tmp_path, 1)
