from __future__ import annotations

import gzip
import pickle
import subprocess
import sys
import tarfile
import warnings
import zipfile

import numpy as np
import pytest
import torch

from zspag_core.checkpoints.contents import read_contents
from zspag_core.checkpoints.kinds import OLD_MAGIC, may_hold_weights
from zspag_core.errors import CheckpointError

PICKLED = pickle.dumps({"w": [1.0]}, protocol=4)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes it"),
        (b"GGUF\x03\x00", "a GGUF file"),
        (b"\x93NUMPY\x01\x00", "a single numpy array"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of Git LFS .* git lfs pull"),
        (b"\n<!DOCTYPE html><html>", "a web page instead of the file"),
        (gzip.compress(b"x" * 100, mtime=0), "a gzip archive"),
        (b"\x1c\x00\x00\x00TFL3", "a TensorFlow Lite file"),
        (b"\x08\x07\x12\x07pytorch" + bytes(200), r"an ONNX graph.*torch\.save\(model\.state_dict\(\)"),
        (PICKLED, r"a plain pickle, which would run code .* `import pickle, torch; .*open\(\"m\.bin\""),
        (b"import torch\nclass Net:", r"expected a \.safetensors file or one that torch\.save has written \(\.pt, "),
        (bytes(3000), r"expected a \.safetensors file or one that torch\.save has written \(\.pt, "),
        (b"PK\x05\x06" + bytes(18), r"expected a \.safetensors file or one that torch\.save has written \(\.pt, "),
    ],
)
def test_other_files_are_named_by_their_content(content, words, tmp_path):
    (tmp_path / "m.bin").write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        read_contents(tmp_path / "m.bin", 10)


def test_tar_archives_are_named(tmp_path):
    with tarfile.open(tmp_path / "m.pth.tar", "w") as archive:
        archive.add(__file__, "test.py")
    with pytest.raises(CheckpointError, match="a tar archive; unpack it"):
        read_contents(tmp_path / "m.pth.tar", 1)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["m/constants.pkl", "m/data.pkl"], "a TorchScript program"),
        (["m/code/__torch__.py", "m/data.pkl"], "a TorchScript program"),
        (["config.json", "metadata.json", "model.weights.h5"], "a Keras model"),
        (["a.npy", "b.npy"], "numpy arrays"),
        (["__MACOSX/x", "models/best.PTH"], r"a zip archive with models/best\.PTH in it; unpack it and give"),
        (["serialized_exported_program.json"], r"a program of torch\.export.*torch\.export\.load"),
        (["vit/config.json", "vit/model.safetensors"], "a zipped model folder"),
        (["readme.txt"], "not a readable PyTorch file"),
    ],
)
def test_other_zip_archives_are_named(names, words, tmp_path):
    with zipfile.ZipFile(tmp_path / "m.ckpt", "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    with pytest.raises(CheckpointError, match=words):
        read_contents(tmp_path / "m.ckpt", 1)


@pytest.mark.slow
def test_real_files_of_other_kinds_are_named(tmp_path):
    np.savez(tmp_path / "m.npz", w=np.ones(3))
    with pytest.raises(CheckpointError, match="numpy arrays"):
        read_contents(tmp_path / "m.npz", 1)
    program = torch.export.export(torch.nn.Linear(2, 2), (torch.ones(1, 2),))
    torch.export.save(program, tmp_path / "m.pt2")
    with pytest.raises(CheckpointError, match=r"a program of torch\.export"):
        read_contents(tmp_path / "m.pt2", 1)


def test_the_lines_that_export_torchscript_work(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 3), torch.ones(1, 2)), tmp_path / "m.pt")
        with pytest.raises(CheckpointError) as refused:
            read_contents(tmp_path / "m.pt", 1)
        _run_lines(str(refused.value), tmp_path)
    assert list(read_contents(tmp_path / "weights.pth", 1).weights) == ["weight", "bias"]


def test_the_lines_that_export_a_pickled_model_work(tmp_path):
    torch.save(torch.nn.Sequential(torch.nn.Linear(2, 3)), tmp_path / "m.pt")
    with pytest.raises(
        CheckpointError, match=r"a whole pickled model.*\(torch\.nn\.modules\.container\.Sequential\)"
    ) as e:
        read_contents(tmp_path / "m.pt", 1)
    _run_lines(str(e.value), tmp_path)
    assert list(read_contents(tmp_path / "weights.pth", 1).weights) == ["0.weight", "0.bias"]


def test_the_line_that_saves_a_newer_pickle_again_works(tmp_path):
    torch.save({"w": torch.ones(2)}, tmp_path / "m.pt", pickle_protocol=4)
    with pytest.raises(CheckpointError, match=r"pickled with protocol 4, where torch\.save uses 2") as refused:
        read_contents(tmp_path / "m.pt", 1)
    _run_lines(str(refused.value), tmp_path)
    assert list(read_contents(tmp_path / "weights.pth", 1).weights) == ["w"]


def _run_lines(message, folder):
    """Run the lines in backticks of a message in a folder."""
    lines = message.split("`")[1::2]
    assert len(lines) == 2
    text = "\n".join(lines).replace('("', f'("{folder}/').replace(', "weights.pth"', f', "{folder}/weights.pth"')
    exec(text, {"torch": torch})  # noqa: S102 - the test's own file


@pytest.mark.parametrize(
    ("name", "content", "possible"),
    [
        ("m.pt", b"PK\x03\x04rest", True),
        ("m.pt", OLD_MAGIC + b"rest", True),
        ("m.bin", (2).to_bytes(8, "little") + b"{}", True),
        ("m.safetensors", b"anything", True),
        ("m.pt", b"I am no model", False),
        ("m.pt", b"", False),
    ],
)
def test_the_first_bytes_tell_what_may_hold_weights(tmp_path, name, content, possible):
    (tmp_path / name).write_bytes(content)
    assert may_hold_weights(tmp_path / name) is possible


def test_first_bytes_are_read_without_torch():
    code = "import sys; import zspag_core.checkpoints.kinds; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
