from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from zspag_core.checkpoints.contents import read_contents
from zspag_core.errors import CheckpointError


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
