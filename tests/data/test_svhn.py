from __future__ import annotations

import numpy as np
import pytest
from scipy import io

from zspag_core.data.svhn import TEST_FILE, TRAIN_FILE, holds_svhn, load_svhn
from zspag_core.errors import DataError


def mat(count, seed):
    """Pictures and labels as SVHN stores them: (H, W, 3, N) and (N, 1) with 10 for the digit 0."""
    pixels = np.random.default_rng(seed).integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
    return {"X": pixels, "y": (np.arange(count) % 10 + 1).astype(np.uint8)[:, None]}


@pytest.fixture
def folder(tmp_path):
    io.savemat(tmp_path / TRAIN_FILE, mat(40, 0), do_compression=True)
    io.savemat(tmp_path / TEST_FILE, mat(20, 1))
    return tmp_path


def test_pixels_and_labels(folder):
    data = load_svhn(folder, "svhn", 32, 3)
    assert np.array_equal(data.train.images[7].permute(1, 2, 0), mat(40, 0)["X"][..., 7])
    assert data.test.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0] * 2
    assert data.class_names == tuple("0123456789")


def test_both_files_are_needed(folder):
    assert holds_svhn(folder)
    (folder / TEST_FILE).unlink()
    assert not holds_svhn(folder)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": mat(40, 0)["X"]}, r"train_32x32\.mat has no array 'y'; expected X and y"),
        (mat(40, 0) | {"X": np.full((32, 32, 3, 40), -2.0)}, r"X of .*train_32x32\.mat is float64 from -2"),
        (mat(40, 0) | {"y": np.full((40, 1), 0.5)}, r"y of .*train_32x32\.mat is float64 with fractions"),
        (mat(40, 0) | {"y": np.full((40, 1), 11)}, "label of the training images of svhn is 11; expected 0 to 9"),
        (mat(40, 0) | {"y": mat(39, 0)["y"]}, "has 40 images but y of .* has 39 labels"),
    ],
)
def test_wrong_arrays_are_refused(folder, arrays, message):
    io.savemat(folder / TRAIN_FILE, arrays)
    with pytest.raises(DataError, match=message):
        load_svhn(folder, "svhn", 32, 3)


@pytest.mark.parametrize("content", [b"", b"no MATLAB file" * 100, "half"])
def test_damaged_files_are_refused(folder, content):
    path = folder / TRAIN_FILE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content == "half" else content)
    with pytest.raises(DataError, match=r"train_32x32\.mat is not a MATLAB 5 file that can be read"):
        load_svhn(folder, "svhn", 32, 3)


def test_a_file_whose_numbers_lead_nowhere_is_refused(monkeypatch, tmp_path):
    def lost(*_, **__):
        raise IndexError("index out of range")

    monkeypatch.setattr("scipy.io.loadmat", lost)
    with pytest.raises(DataError, match=r"train_32x32\.mat is not a MATLAB 5 file that can be read"):
        load_svhn(tmp_path, "svhn", 32, 3)
