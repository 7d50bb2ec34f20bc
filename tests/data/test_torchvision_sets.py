"""The sets themselves are too large to download in a test: torchvision's readers get small files in the same format."""

from __future__ import annotations

import gzip
import pickle
import struct
from urllib.error import URLError

import numpy as np
import pytest
import torchvision
from scipy import io

from zspag_core.data.torchvision_sets import load_torchvision
from zspag_core.errors import DataError


def write_idx(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes())


def test_fashion_mnist_from_its_own_files(tmp_path):
    generator = np.random.default_rng(0)
    stored = {}
    for part, count in (("train", 30), ("t10k", 20)):
        stored[part] = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        folder = tmp_path / "FashionMNIST" / "raw"
        write_idx(folder / f"{part}-images-idx3-ubyte", stored[part])
        write_idx(folder / f"{part}-labels-idx1-ubyte", (np.arange(count) % 10).astype(np.uint8))
    data = load_torchvision("fashion_mnist", tmp_path, 28, 1, download=False)
    assert np.array_equal(data.train.images[:, 0], stored["train"])
    assert np.array_equal(data.test.labels, np.arange(20) % 10)
    assert data.class_names[0] == "T-shirt/top"


def test_cifar10_from_its_own_files(tmp_path, monkeypatch):
    """The checksums belong to the real files, so that check alone is set aside."""
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "_check_integrity", lambda _: True)
    monkeypatch.setattr(torchvision.datasets.cifar, "check_integrity", lambda *_: True)
    pixels = np.random.default_rng(0).integers(0, 256, (10, 3072), dtype=np.uint8)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for batch in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (folder / batch).write_bytes(pickle.dumps({"data": pixels, "labels": list(range(10))}))
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))
    data = load_torchvision("cifar10", tmp_path, 32, 3, download=False)
    assert np.array_equal(data.test.images.flatten(1), pixels)
    assert len(data.train) == 50
    assert data.class_names == tuple(names)


def test_svhn_that_is_there_is_not_downloaded(tmp_path):
    arrays = {"X": np.zeros((32, 32, 3, 20), np.uint8), "y": np.arange(20)[:, None] % 10 + 1}
    (tmp_path / "svhn").mkdir()
    for part in ("train", "test"):
        io.savemat(tmp_path / "svhn" / f"{part}_32x32.mat", arrays)
    assert len(load_torchvision("svhn", tmp_path, 32, 3, download=False).train) == 20


NAMES = ["cifar10", "cifar100", "fashion_mnist", "svhn"]


@pytest.mark.parametrize("name", NAMES)
def test_absent_sets_without_download(tmp_path, name):
    with pytest.raises(DataError, match=f"{name} is not in .* and downloads are off"):
        load_torchvision(name, tmp_path, 32, 3, download=False)


@pytest.mark.parametrize("name", NAMES)
def test_offline_machines_are_told(tmp_path, name, monkeypatch):
    def fail(*_, **__):
        raise URLError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", fail)
    with pytest.raises(DataError, match=f"{name} could not be downloaded into .*; is this machine offline") as caught:
        load_torchvision(name, tmp_path, 32, 3, download=True)
    assert "\n" not in str(caught.value)


def test_a_download_that_is_no_archive(tmp_path, monkeypatch):
    """torchvision's checksum refuses it."""

    def answer(_, path, *__):
        with gzip.open(path, "wb") as file:
            file.write(b"a page of some portal")

    monkeypatch.setattr(torchvision.datasets.utils, "_get_redirect_url", lambda url, **_: url)
    monkeypatch.setattr(torchvision.datasets.utils, "_urlretrieve", answer)
    with pytest.raises(DataError, match=r"svhn could not be downloaded into .* corrupted"):
        load_torchvision("svhn", tmp_path, 32, 3, download=True)
