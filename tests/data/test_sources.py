from __future__ import annotations

import errno
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet
from scipy import io

from zspag_core.data import DATASETS, load_dataset
from zspag_core.errors import DataError, UsageError


@pytest.fixture
def shared(tmp_path, monkeypatch):
    folder = tmp_path / "shared"
    folder.mkdir()
    monkeypatch.setenv("ZSPAG_DATA", str(folder))
    return folder


def make_npz(path, shade=7):
    images, labels = np.full((4, 2, 2), shade, np.uint8), np.arange(4) % 2
    np.savez(path, train_x=images, train_y=labels, test_x=images, test_y=labels)


def make_zip(path, png):
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
            archive.writestr(name, png(np.zeros((2, 2), np.uint8)))


def make_folder(path, png):
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(png(np.zeros((2, 2), np.uint8)))


def make_parquet(path, png):
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table({"image": [png(np.zeros((2, 2), np.uint8))] * 4, "label": [0, 1, 0, 1]}), path)


def make_svhn(path):
    path.mkdir()
    arrays = {"X": np.zeros((2, 2, 3, 10), np.uint8), "y": np.arange(1, 11)[:, None]}
    for part in ("train", "test"):
        io.savemat(path / f"{part}_32x32.mat", arrays)


def test_the_known_names():
    assert DATASETS == ("digits", "cifar10", "cifar100", "svhn", "fashion_mnist")


def test_digits_need_no_folder():
    data = load_dataset("digits")
    assert data.train.images.shape[1:] == (3, 32, 32)


def test_every_form_by_path(tmp_path, png):
    make_npz(tmp_path / "a.npz")
    make_zip(tmp_path / "b.zip", png)
    make_folder(tmp_path / "c", png)
    make_parquet(tmp_path / "d.parquet", png)
    make_parquet(tmp_path / "e" / "data" / "part.parquet", png)
    make_svhn(tmp_path / "f")
    for name in ("a.npz", "b.zip", "c", "d.parquet", "e", "f"):
        data = load_dataset(str(tmp_path / name), image_size=5, channels=1)
        assert data.name == name
        for split in (data.train, data.test):
            assert split.images.shape == (len(split), 1, 5, 5)
            assert split.images.dtype == torch.uint8
            assert split.labels.dtype == torch.int64


def test_a_name_is_looked_up_in_every_form(shared, png):
    make_npz(shared / "fashion_mnist.npz")
    make_zip(shared / "cifar10.zip", png)
    make_parquet(shared / "cifar100" / "train.parquet", png)
    make_svhn(shared / "svhn")
    make_folder(shared / "faces", png)
    for name in ("fashion_mnist", "cifar10", "cifar100", "svhn"):
        assert load_dataset(name, download=False).name == name
    assert load_dataset("faces").class_names == ("a", "b")


def test_the_shared_folder_comes_before_downloads(shared, home):
    make_npz(shared / "cifar10.npz", shade=77)
    assert load_dataset("cifar10").train.images.unique().tolist() == [77]
    assert not any(home.iterdir())


def test_a_known_name_is_no_path(tmp_path, monkeypatch):
    (tmp_path / "cifar10").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"cifar10 is not in .* and downloads are off"):
        load_dataset("cifar10", download=False)


def test_downloads_are_looked_for_under_home(home):
    with pytest.raises(DataError) as caught:
        load_dataset("svhn", download=False)
    assert str(home / "data") in str(caught.value)


@pytest.mark.parametrize("source", ["imagenet", "", "../digits", "no/such/folder", "a\0b", "x" * 5000])
def test_unknown_sources_list_the_known_names(shared, source):
    with pytest.raises(DataError) as caught:
        load_dataset(source)
    assert len(source) > 1000 or "digits, cifar10, cifar100, svhn, fashion_mnist" in str(caught.value)


def test_a_name_does_not_leave_the_shared_folder(shared):
    make_npz(shared.parent / "secret.npz")
    with pytest.raises(DataError, match="There is no data set"):
        load_dataset("../secret")


def test_an_unknown_form(tmp_path):
    (tmp_path / "mine.tar").write_bytes(b"")
    with pytest.raises(DataError, match=r"mine\.tar has an unknown form; expected a folder, a \.zip, an \.npz"):
        load_dataset(str(tmp_path / "mine.tar"))


def test_a_folder_that_may_not_be_read(tmp_path, png, monkeypatch):
    def refuse(folder):
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    make_folder(tmp_path / "mine", png)
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match="mine cannot be read: Permission denied"):
        load_dataset(str(tmp_path / "mine"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 0}, "image size"),
        ({"image_size": 513}, "1 to 512"),
        ({"channels": 2}, "channels: expected 1 or 3, got 2"),
    ],
)
def test_sizes_outside_their_range(options, message):
    with pytest.raises(UsageError, match=message):
        load_dataset("digits", **options)
