from __future__ import annotations

import argparse
import os

import pytest
import torch
from safetensors.torch import save_file

from zspag_core.checkpoints.contents import default_limit_mb, read_contents
from zspag_core.errors import CheckpointError, UsageError


def _saved(payload, path):
    torch.save(payload, path)
    return path


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model", "net"])
def test_common_wrappers_are_unwrapped(wrapper, tmp_path):
    path = _saved({wrapper: {"w": torch.ones(2)}, "epoch": 3}, tmp_path / "m.pt")
    contents = read_contents(path, 1)
    assert list(contents.weights) == ["w"]
    assert contents.header is None


def test_prefixes_that_every_name_has_are_dropped(tmp_path):
    path = _saved({"module.model.w": torch.ones(2), "module.model.v": torch.ones(1)}, tmp_path / "m.pth")
    assert list(read_contents(path, 1).weights) == ["w", "v"]
    path = _saved({"module.w": torch.ones(2), "v": torch.ones(1)}, tmp_path / "n.pth")
    assert list(read_contents(path, 1).weights) == ["module.w", "v"]


def test_our_dictionary_gives_a_header(tmp_path):
    payload = {"architecture": "vgg", "config": {"num_classes": 3}, "state_dict": {"w": torch.ones(2)}}
    contents = read_contents(_saved(payload, tmp_path / "m.pt"), 1)
    assert contents.header == {"architecture": "vgg", "config": {"num_classes": 3}, "about": {}}


def test_foreign_safetensors_have_no_header(tmp_path):
    save_file({"module.w": torch.ones(2)}, tmp_path / "m.safetensors")
    contents = read_contents(tmp_path / "m.safetensors", 1)
    assert (list(contents.weights), contents.header) == (["w"], None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "format 'zspag-1'"),
        ('{"format": "zspag-9"}', "format 'zspag-1'"),
    ],
)
def test_headers_that_are_not_ours_are_refused(text, message, tmp_path):
    save_file({"w": torch.ones(2)}, tmp_path / "m.safetensors", metadata={"zspag": text})
    with pytest.raises(CheckpointError, match=message):
        read_contents(tmp_path / "m.safetensors", 1)


def test_a_small_file_that_declares_a_huge_tensor_is_refused_before_any_copy(tmp_path):
    path = _saved({"w": torch.zeros(1).expand(10**6, 10**6)}, tmp_path / "m.pt")
    assert path.stat().st_size < 3000
    with pytest.raises(CheckpointError, match=r"'w': declares shape \(1000000, 1000000\), but the file does not hold"):
        read_contents(path, 400)


def test_many_tensors_that_share_one_storage_count_each(tmp_path):
    shared = torch.zeros(100_000)
    path = _saved({f"w{index}": shared for index in range(10)}, tmp_path / "m.pt")
    assert path.stat().st_size < 0.5e6
    with pytest.raises(CheckpointError, match="declares 4 MB of tensors, more than the limit of 1 MB"):
        read_contents(path, 1)


@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")
@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (torch.ones(2), "holds a Tensor, expected a state_dict"),
        ([1, 2], "holds a list"),
        ({"w": torch.ones(2), "epoch": 3}, "entry 'epoch' is a int"),
        ({1: torch.ones(2)}, "entry 1 is a Tensor"),
        ({"w": torch.eye(2).to_sparse()}, "'w': expected a plain dense tensor"),
        ({"w": torch.ones(2, device="meta")}, "'w': expected a plain dense tensor"),
    ],
)
def test_other_payloads_are_refused(payload, message, tmp_path):
    path = _saved(payload, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=message):
        read_contents(path, 1)


def test_missing_and_large_files_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        read_contents(tmp_path / "m.pt", 1)
    path = _saved({"w": torch.zeros(500_000)}, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=r"declares 2 MB of tensors, more than the limit of 1 MB.*ZSPAG_LIMIT_MB"):
        read_contents(path, 1)


NET = {"conv.weight": torch.ones(40, 3, 3, 3), "mid.weight": torch.ones(5, 40), "fc.weight": torch.ones(2, 5)}


def test_the_limit_counts_the_weights_that_are_taken(tmp_path):
    payload = {"model": NET, "optimizer": {"state": {0: {"exp_avg": torch.ones(500_000)}}}, "model_ema": NET}
    path = _saved(payload, tmp_path / "m.pth")
    assert path.stat().st_size > 2e6
    assert list(read_contents(path, 0.01).weights) == list(NET)
    with pytest.raises(CheckpointError, match=r"0 MB of tensors, more than the limit of 0\.001 MB"):
        read_contents(path, 0.001)


def test_the_limit_counts_the_part_that_is_taken(tmp_path):
    tensors = {f"net.{name}": tensor for name, tensor in NET.items()} | {"teacher.w": torch.ones(300_000, 2)}
    save_file(tensors, tmp_path / "m.safetensors")
    assert set(read_contents(tmp_path / "m.safetensors", 0.01, entry="net").weights) == set(NET)


def test_the_default_limit_comes_from_the_environment(monkeypatch):
    monkeypatch.delenv("ZSPAG_LIMIT_MB", raising=False)
    assert default_limit_mb() == 2000
    monkeypatch.setenv("ZSPAG_LIMIT_MB", "3500.5")
    assert default_limit_mb() == 3500.5
    for wrong in ("many", "-1", "0", "nan", "inf"):
        monkeypatch.setenv("ZSPAG_LIMIT_MB", wrong)
        with pytest.raises(UsageError, match=f"ZSPAG_LIMIT_MB: expected a number of megabytes, got '{wrong}'"):
            default_limit_mb()


@pytest.mark.parametrize(
    ("entry", "value"), [("state_dict", 1), ("state_dict.net", 1), ("other", 2), ("other.ema", 3), ("other.net", 2)]
)
def test_an_entry_names_a_dictionary_a_first_word_or_both(entry, value, tmp_path):
    def both(net, ema):
        words = {"net": net, "ema": ema}
        return {f"{word}.{name}": tensor * factor for word, factor in words.items() for name, tensor in NET.items()}

    one = {f"net.{name}": tensor for name, tensor in NET.items()}
    path = _saved({"state_dict": one, "other": both(2, 3)}, tmp_path / "m.pt")
    if entry == "other":
        with pytest.raises(CheckpointError, match="several networks: net, ema"):
            read_contents(path, 1, entry=entry)
        return
    contents = read_contents(path, 1, entry=entry)
    assert list(contents.weights) == list(NET)
    assert all(torch.equal(tensor, NET[name] * value) for name, tensor in contents.weights.items())


def test_readings_give_other_names_each_with_its_own_way_back(tmp_path):
    path = _saved({f"module.backbone.{name}": tensor for name, tensor in NET.items()}, tmp_path / "m.pt")
    readings = list(read_contents(path, 1).readings())
    assert [next(iter(reading.weights)) for reading in readings] == [
        *("backbone.conv.weight", "conv.weight", "module.backbone.conv.weight"),
    ]
    for number, reading in enumerate(readings):
        weights = {name: tensor + number for name, tensor in reading.weights.items()}
        loaded = torch.load(reading.container.write(tmp_path, f"out{number}", weights), weights_only=True)
        assert torch.equal(loaded["module.backbone.fc.weight"], NET["fc.weight"] + number)


def test_our_own_files_keep_their_names_whatever_they_begin_with(tmp_path):
    payload = {"architecture": "vgg", "config": {}, "state_dict": {"model.w": torch.ones(2)}, "about": {"a": 1}}
    contents = read_contents(_saved(payload, tmp_path / "m.pt"), 1)
    assert list(contents.weights) == ["model.w"]
    assert contents.header == {"architecture": "vgg", "config": {}, "about": {"a": 1}}
    assert contents.others == ()


@pytest.mark.parametrize("name", ["m.bin", "m.ckpt", "m.pkl", "m.th", "m.pth.tar", "m", "m.safetensors", "m.onnx"])
def test_endings_do_not_matter(name, tmp_path):
    assert list(read_contents(_saved(NET, tmp_path / name), 1).weights) == list(NET)


class _Runs:
    """A pickle of this creates a file when it is loaded carelessly."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "last.ckpt", "m.pth.tar", "old.pth"])
def test_code_in_any_container_does_not_run(name, tmp_path):
    mark = tmp_path / "ran"
    payload = {"state_dict": NET, "args": argparse.Namespace(call=_Runs(mark))}
    path = tmp_path / name
    torch.save(payload, path, _use_new_zipfile_serialization=not name.startswith("old"))
    with pytest.raises(CheckpointError, match=r"refused, because it would run code \(\w+\.system\); .*`saved = "):
        read_contents(path, 1)
    assert not mark.exists()
    torch.load(path, weights_only=False)  # the trap is a real one
    assert mark.exists()


def test_payloads_nested_without_end_are_read_and_written(tmp_path):
    deep = value = {}
    for _ in range(200):
        value["in"] = value = {}
    loop = {"state_dict": NET, "deep": deep}
    loop["self"] = loop
    contents = read_contents(_saved(loop, tmp_path / "m.ckpt"), 1)
    assert contents.container.notes == ("without deep, self, which may still hold the class",)
    loaded = torch.load(contents.container.write(tmp_path, "unlearned", NET), weights_only=True)
    assert list(loaded) == ["state_dict"]
