from __future__ import annotations

import json
import os
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from zspag_core.checkpoints import archives
from zspag_core.checkpoints.archives import read_pickled, read_safetensors
from zspag_core.checkpoints.kinds import OLD_MAGIC
from zspag_core.errors import CheckpointError


def _safetensors(path, header, body=b""):
    """Write a safetensors file by hand."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def _entry(dtype="F32", shape=(2,), span=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(span)}


def test_safetensors_are_read_with_their_metadata(tmp_path):
    save_file({"w": torch.arange(6.0).view(2, 3)}, tmp_path / "m.safetensors", metadata={"who": "someone"})
    weights, metadata = read_safetensors(tmp_path / "m.safetensors")
    assert torch.equal(weights["w"], torch.arange(6.0).view(2, 3))
    assert metadata == {"who": "someone"}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"{", "declares a header of 1 bytes"),
        (b"[1, 2]", "not a JSON object"),
        (b"{'a'", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        ({"w": 3}, "expected dtype"),
        ({"w": _entry(dtype="F8_E4M3")}, "expected dtype .* got 'F8_E4M3'"),
        ({"w": _entry(dtype=["F32"])}, "expected dtype"),
        ({"w": _entry(shape=(-2,))}, "expected a shape"),
        ({"w": _entry(shape=(2.0,))}, "expected a shape"),
        ({"w": _entry(span=(0,))}, "two data_offsets"),
        ({"w": _entry(shape=(10**12,), span=(0, 4 * 10**12))}, "'w' in the header: shape .* needs 4000000000000 bytes"),
        ({"w": _entry(shape=(3,))}, "needs 12 bytes, the header points at 0 to 8 of 8"),
        ({"w": _entry(), "v": _entry()}, "not a valid safetensors file"),
        ({"w": _entry(), "__metadata__": {"n": 3}}, "not a valid safetensors file"),
        ({"w": _entry(shape=(1,), span=(0, 4))}, "not a valid safetensors file"),
    ],
)
def test_lying_safetensors_headers_are_refused(header, message, tmp_path):
    path = _safetensors(tmp_path / "m.safetensors", header, body=bytes(8))
    with pytest.raises(CheckpointError, match=message):
        read_safetensors(path)


@pytest.mark.parametrize("content", [b"", b"1234", b"\xff" * 8 + b"{}", (10**9).to_bytes(8, "little") + b"{}"])
def test_safetensors_with_an_impossible_header_length_are_refused(content, tmp_path):
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="declares a header of"):
        read_safetensors(tmp_path / "m.safetensors")


class _Touch:
    """A pickle of this creates a file when it is loaded carelessly."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path):
    mark = tmp_path / "ran"
    torch.save({"w": torch.ones(2), "evil": _Touch(mark)}, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=r"would run code \(\w+\.system\)"):
        read_pickled(tmp_path / "m.pt", 1)
    assert not mark.exists()
    torch.load(tmp_path / "m.pt", weights_only=False)  # the trap is a real one
    assert mark.exists()


def test_a_broken_pickle_that_would_run_code_is_refused(tmp_path):
    torch.save(_Touch(tmp_path / "ran"), tmp_path / "m.pt")
    broken = _rewritten(
        tmp_path / "m.pt",
        tmp_path / "broken.pt",
        change=lambda name, content: content.replace(b"system\n", b"system\nFno number\n"),
    )
    with pytest.raises(CheckpointError, match=r"would run code \(\w+\.system\)"):
        read_pickled(broken, 1)


def test_a_whole_module_is_refused_with_advice(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=r"Linear.*save model\.state_dict\(\)"):
        read_pickled(tmp_path / "m.pt", 1)


def _rewritten(source, target, *, compression=zipfile.ZIP_STORED, change=lambda name, content: content):
    """Copy a zip archive part by part."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for part in old.infolist():
            new.writestr(part.filename, change(part.filename, old.read(part)))
    return target


def test_compressed_archives_are_refused_whatever_they_unpack_to(tmp_path):
    torch.save({"w": torch.zeros(1_000_000)}, tmp_path / "m.pt")
    path = _rewritten(tmp_path / "m.pt", tmp_path / "bomb.ckpt", compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    with pytest.raises(CheckpointError, match="a compressed archive"):
        read_pickled(path, 1)


def test_a_pickle_without_end_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr("m/data.pkl", b"0" * 10_000_001)
    with pytest.raises(CheckpointError, match="its pickle alone is over 10 MB"):
        read_pickled(tmp_path / "m.pt", 400)


def test_a_storage_larger_than_the_file_is_refused(tmp_path):
    torch.save({"w": torch.arange(10.0)}, tmp_path / "m.pt")

    def ten_to_65535(name, content):
        return content.replace(b"K\n", b"M\xff\xff") if name.endswith("data.pkl") else content

    path = _rewritten(tmp_path / "m.pt", tmp_path / "lie.pt", change=ten_to_65535)
    with pytest.raises(CheckpointError, match="not a readable PyTorch file"):
        read_pickled(path, 1)


def test_damaged_archives_are_refused(tmp_path):
    torch.save({"w": torch.arange(10.0)}, tmp_path / "m.pt")
    content = (tmp_path / "m.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(content[:200])
    with pytest.raises(CheckpointError, match="zip directory"):
        read_pickled(tmp_path / "cut.pt", 1)
    with zipfile.ZipFile(tmp_path / "other.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match="not a readable PyTorch file"):
        read_pickled(tmp_path / "other.pt", 1)
    damaged = _rewritten(
        tmp_path / "m.pt", tmp_path / "bad.pt", change=lambda name, content: content[: len(content) // 2]
    )
    with pytest.raises(CheckpointError, match="not a readable PyTorch file"):
        read_pickled(damaged, 1)


def test_torchscript_programs_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr("m/constants.pkl", b"")
    with pytest.raises(CheckpointError, match="TorchScript"):
        read_pickled(tmp_path / "m.pt", 1)


def test_a_directory_that_lies_about_a_size_is_refused(tmp_path):
    torch.save({"w": torch.arange(10.0)}, tmp_path / "m.pt")
    content = bytearray((tmp_path / "m.pt").read_bytes())
    at = content.rindex(b"PK\x01\x02") + 24  # the size of the last part in the directory
    content[at : at + 4] = (10**9).to_bytes(4, "little")
    (tmp_path / "m.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match="its zip directory declares sizes that the archive does not have"):
        read_pickled(tmp_path / "m.pt", 1)


@pytest.mark.parametrize("new", [True, False])
def test_a_pickled_model_and_one_beside_weights_are_told_apart(new, tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "m.pt", _use_new_zipfile_serialization=new)
    with pytest.raises(CheckpointError, match=r"a whole pickled model, .*torch\.nn\.modules\.linear\.Linear"):
        read_pickled(tmp_path / "m.pt", 1)
    payload = {"state_dict": {"w": torch.ones(2)}, "loss": torch.nn.CrossEntropyLoss()}
    torch.save(payload, tmp_path / "m.pt", _use_new_zipfile_serialization=new)
    with pytest.raises(
        CheckpointError, match=r"would run code \(torch\.nn\.modules\.loss\.CrossEntropyLoss\).*saved = "
    ):
        read_pickled(tmp_path / "m.pt", 1)


def test_an_old_pickle_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_HEADER_BYTES", 100_000)
    (tmp_path / "m.pt").write_bytes(OLD_MAGIC + b"N" * 100_010 + b".")
    with pytest.raises(CheckpointError, match="its pickle alone is over 10 MB"):
        read_pickled(tmp_path / "m.pt", 400)
