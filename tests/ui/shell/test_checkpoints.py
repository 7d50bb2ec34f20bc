from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from ui.shell.checkpoints import HEADER_LIMIT, read_header, shipped_checkpoints
from zspag_core.errors import CheckpointError

ROOT = Path(__file__).parents[3]
RECORD = {
    "architecture": "resnet",
    "config": {"image_size": 32},
    "about": {"data": "digits", "class_names": ["zero", "one"], "test_accuracy": 99.5},
}


def write(path, metadata):
    text = json.dumps({"__metadata__": metadata}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    return path


def test_header_is_read(tmp_path):
    header = read_header(write(tmp_path / "two.safetensors", {"zspag": json.dumps(RECORD)}))
    assert (header.architecture, header.image_size, header.data) == ("resnet", 32, "digits")
    assert header.class_names == ("zero", "one")
    assert header.title == "two · 99.5 % right"


def test_accuracy_may_be_unknown(tmp_path):
    about = {**RECORD["about"], "test_accuracy": None}
    header = read_header(write(tmp_path / "two.safetensors", {"zspag": json.dumps({**RECORD, "about": about})}))
    assert header.title == "two"


@pytest.mark.parametrize(
    "content",
    [b"", b"short", struct.pack("<Q", 5) + b"{bad}", struct.pack("<Q", 2) + b"{}", struct.pack("<Q", 2) + b"[]"],
)
def test_other_files_are_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"other\.safetensors: expected a checkpoint saved by this program"):
        read_header(path)


def test_foreign_metadata_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="expected a checkpoint"):
        read_header(write(tmp_path / "other.safetensors", {"format": "pt"}))


def test_huge_header_is_not_read(tmp_path):
    path = tmp_path / "huge.safetensors"
    path.write_bytes(struct.pack("<Q", HEADER_LIMIT + 1))
    with pytest.raises(CheckpointError, match="at most 10 MB"):
        read_header(path)


def test_digits_stand_first(tmp_path):
    names = ["digits_resnet_16", "digits_resnet", "a_vgg", "cifar10_vit"]
    for name in reversed(names):
        (tmp_path / f"{name}.safetensors").touch()
    assert [path.stem for path in shipped_checkpoints(tmp_path)] == names


@pytest.mark.slow
def test_pages_need_no_torch():
    """The first paint must not wait for torch: nothing that the pages import brings it in."""
    modules = "ui.shell.frame, ui.shell.settings_form, ui.shell.checkpoints, ui.forget.run_panel"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True).returncode == 0
