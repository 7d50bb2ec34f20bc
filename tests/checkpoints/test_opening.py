from __future__ import annotations

import argparse

import pytest
import torch

from zspag_core.checkpoints.opening import open_file
from zspag_core.errors import CheckpointError

NET = {"conv.weight": torch.ones(4, 9), "fc.weight": torch.ones(2, 4)}


def _opened(payload, tmp_path, entry=None, name="m.pt", **options):
    torch.save(payload, tmp_path / name, **options)
    return open_file(tmp_path / name, 1, entry)


def test_the_taken_network_is_named_where_there_are_others(tmp_path):
    opened = _opened({"state_dict_ema": NET, "state_dict": dict(NET)}, tmp_path)
    assert opened.notes == ("state_dict is taken; the file also holds state_dict_ema, had with --entry state_dict_ema",)
    assert opened.container.dropped == ("without state_dict_ema, which may still hold the class",)
    assert _opened({"state_dict": NET}, tmp_path).notes == ()


def test_entries_among_the_tensors_that_are_none_are_left_aside(tmp_path):
    opened = _opened(NET | {"epoch": 3}, tmp_path)
    assert list(opened.container.tensors) == list(NET)
    assert opened.notes == ("left aside, because they are no tensors with a name: epoch",)
    written = opened.container
    written.save(tmp_path / "again.pt", dict(NET))
    assert torch.load(tmp_path / "again.pt", weights_only=True)["epoch"] == 3


def test_tensors_under_numbers_are_left_aside(tmp_path):
    opened = _opened(NET | {3: torch.ones(2), None: 1}, tmp_path)
    assert list(opened.container.tensors) == list(NET)
    assert opened.notes == ("left aside, because they are no tensors with a name: 3, None",)


def test_figures_that_stay_in_the_file_are_named(tmp_path):
    payload = {"state_dict": NET, "best_acc1": 61.2, "val_loss": 0.3, "epoch": 7, "accumulate": 2, "args": {}}
    assert _opened(payload, tmp_path).container.dropped == (
        "written as they were, though they are of the network as it came: best_acc1, val_loss",
    )


def test_plain_facts_are_read(tmp_path):
    payload = {"state_dict": NET, "args": argparse.Namespace(arch="resnet18"), "classes": ["a", "b"]}
    assert _opened(payload, tmp_path).hints == {"arch": "resnet18", "class_names": ["a", "b"]}
    payload = {"state_dict": NET, "hyper_parameters": {"lr": 0.1, "classes": 2}}
    assert _opened(payload, tmp_path).hints == {"hyper_parameters": {"lr": 0.1, "classes": 2}}
    payload = {"state_dict": NET, "hyper_parameters": {"w": torch.ones(100)}}
    assert _opened(payload, tmp_path).hints == {}


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("m.pth.tar", ".pth.tar"), ("M.PTH", ".pth"), ("best.v2", ".pt"), ("model", ".pt"), ("pytorch_model.bin", ".bin")],
)
def test_the_ending_stays_where_it_is_one(name, suffix, tmp_path):
    assert _opened(NET, tmp_path, name=name).container.suffix == suffix


def test_a_torch_file_called_safetensors_and_the_other_way_round_are_read(tmp_path):
    assert list(_opened(NET, tmp_path, name="m.safetensors").container.tensors) == list(NET)
    from safetensors.torch import save_file

    save_file(NET, tmp_path / "m.pt")
    assert set(open_file(tmp_path / "m.pt", 1, None).container.tensors) == set(NET)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"epoch": 3}, "entry 'epoch' is a int, expected a state_dict"),
        ({"state": {}, "param_groups": []}, "holds the state of an optimizer and no network's weights"),
        ({"optimizer": {"state": {}, "param_groups": []}, "epoch": 3}, r"an optimizer .* \(entry 'optimizer'\)"),
        ({"run": {"log": {}}, "acc": torch.tensor(1.0)}, "holds no tensors under 'run', 'acc', expected a state_dict"),
        ("text", "holds a str"),
    ],
)
def test_files_without_a_network_are_refused(payload, words, tmp_path):
    with pytest.raises(CheckpointError, match=words):
        _opened(payload, tmp_path)


def test_the_old_format_is_read_and_its_sizes_are_checked(tmp_path):
    old = {"_use_new_zipfile_serialization": False}
    opened = _opened({"net": NET, "epoch": 1}, tmp_path, **old)
    assert opened.container.old
    assert all(torch.equal(opened.container.tensors[name], NET[name]) for name in NET)
    with pytest.raises(CheckpointError, match=r"1 MB in the format of torch before 1\.6.*`weights = torch\.load"):
        _opened({"w": torch.ones(300_000)}, tmp_path, **old)


def test_an_old_file_that_declares_more_than_it_holds_is_refused(tmp_path):
    torch.save({"w": torch.arange(10.0)}, tmp_path / "m.pt", _use_new_zipfile_serialization=False)
    content = (tmp_path / "m.pt").read_bytes()
    for count in (b"M\xff\xff", b"J\xff\xff\xff\x7f"):
        (tmp_path / "lie.pt").write_bytes(content.replace(b"K\n", count))
        with pytest.raises(CheckpointError, match=r"not a readable PyTorch file|damaged"):
            open_file(tmp_path / "lie.pt", 1, None)
    # A storage that is declared and never filled: its key is taken out of the list of those that follow.
    start = content.rindex(b"]q")
    (tmp_path / "cut.pt").write_bytes(content[:start].replace(b"K\n", b"J\xff\xff\xff\x0f") + b"]q\x00.")
    with pytest.raises(CheckpointError, match="damaged: it declares more values than it holds"):
        open_file(tmp_path / "cut.pt", 1, None)
    (tmp_path / "half.pt").write_bytes(content[:100])
    with pytest.raises(CheckpointError, match="damaged, in the format of torch before"):
        open_file(tmp_path / "half.pt", 1, None)
