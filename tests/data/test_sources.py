from __future__ import annotations

import errno
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
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


def make_pickles(path):
    path.mkdir()
    for name in ("data_batch_1", "test_batch"):
        content = {b"data": np.zeros((4, 3072), np.uint8), b"labels": [0, 1, 0, 1]}
        (path / name).write_bytes(pickle.dumps(content, protocol=2))


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
    make_pickles(tmp_path / "g")
    for name in ("a.npz", "b.zip", "c", "d.parquet", "e", "f", "g"):
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


def test_content_decides_where_the_ending_says_nothing(tmp_path, png):
    make_npz(tmp_path / "a.npz")
    make_zip(tmp_path / "b.zip", png)
    make_parquet(tmp_path / "c.parquet", png)
    for name in ("a.npz", "b.zip", "c.parquet"):
        (tmp_path / name).rename(tmp_path / f"{name}.bin")
        assert load_dataset(str(tmp_path / f"{name}.bin"), image_size=2, channels=1).num_classes == 2


def test_a_models_names_reach_every_form(tmp_path, png):
    make_npz(tmp_path / "a.npz")
    make_zip(tmp_path / "b.zip", png)
    make_folder(tmp_path / "c", png)
    make_parquet(tmp_path / "d.parquet", png)
    make_pickles(tmp_path / "e")
    for name, places in (("a.npz", [0, 1]), ("b.zip", [2, 1]), ("c", [2, 1]), ("d.parquet", [0, 1]), ("e", [0, 1])):
        data = load_dataset(str(tmp_path / name), image_size=2, class_names=["x", "b", "a"])
        assert data.class_names == ("x", "b", "a")
        assert data.train.labels.unique().tolist() == sorted(places)
        assert f"{name} has images of 2 of the model's 3 classes: " in data.notes[-1]
    as_ever, turned = (
        load_dataset("digits", image_size=8, class_names=names) for names in ("0123456789", "9876543210")
    )
    assert torch.equal(as_ever.train.images, load_dataset("digits", image_size=8).train.images)
    shades = [
        sorted(
            shade
            for part in (data.train, data.test)
            for shade in part.of_classes([k]).images.flatten(1).sum(1).tolist()
        )
        for data, k in ((as_ever, 3), (turned, 6))
    ]
    assert shades[0] == shades[1]


def test_readings_are_kept_apart_in_the_cache(tmp_path, png, monkeypatch):
    monkeypatch.setattr("zspag_core.data.cache.MIN_IMAGES", 1)
    for name in ("1/1.png", "1/2.png", "2/1.png", "2/2.png", "10/1.png", "10/2.png"):
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).write_bytes(png(np.zeros((2, 2), np.uint8)))
    for _ in range(2):
        plain = load_dataset(str(tmp_path / "mine"))
        assert plain.class_names == ("1", "10", "2")
        assert len(plain.notes) == 1
        counted = load_dataset(str(tmp_path / "mine"), order="natural")
        assert counted.class_names == ("1", "2", "10")
        assert counted.notes == ()


def test_digits_alone_are_the_digits_beside_others(tmp_path):
    """The images to forget are the same, in the same order, alone and in the whole set."""
    whole = load_dataset("digits", image_size=8, channels=1)
    threes = whole.train.of_classes([3])
    np.savez(tmp_path / "threes.npz", x=threes.images[:, 0].numpy(), y=threes.labels.numpy())
    folder = tmp_path / "mine" / "3"
    folder.mkdir(parents=True)
    for number, image in enumerate(threes.images[:, 0].numpy()):
        Image.fromarray(image).save(folder / f"{number}.png")
    for source in (tmp_path / "threes.npz", tmp_path / "mine"):
        alone = load_dataset(str(source), image_size=8, channels=1, class_names=whole.class_names)
        assert torch.equal(alone.train.images, threes.images)
        assert torch.equal(alone.train.labels, threes.labels)
        assert len(alone.test) == 0
        assert alone.class_names == whole.class_names


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
        ({"order": "size"}, "order: expected one of code_point, natural, got 'size'"),
        ({"class_names": ["a"], "num_classes": 2}, "class names: expected 2, one per output, got 1"),
    ],
)
def test_sizes_outside_their_range(options, message):
    with pytest.raises(UsageError, match=message):
        load_dataset("digits", **options)
