from __future__ import annotations

import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from ui.shell.artifacts import load_arrays


def test_no_file_is_no_arrays(tmp_path):
    assert load_arrays(tmp_path, "proxies") is None


def test_arrays_are_read_once_and_again_when_the_file_changes(tmp_path):
    path = tmp_path / "proxies.safetensors"
    save_file({"labels": np.arange(3)}, path)
    first = load_arrays(tmp_path, "proxies")
    assert first["labels"].tolist() == [0, 1, 2]
    assert load_arrays(tmp_path, "proxies")["labels"] is first["labels"]
    save_file({"labels": np.arange(4)}, path)
    os.utime(path, ns=(1, 1))
    assert load_arrays(tmp_path, "proxies")["labels"].tolist() == [0, 1, 2, 3]


def test_shared_arrays_cannot_be_changed(tmp_path):
    save_file({"labels": np.arange(3)}, tmp_path / "proxies.safetensors")
    with pytest.raises(ValueError, match="read-only"):
        load_arrays(tmp_path, "proxies")["labels"][0] = 7
