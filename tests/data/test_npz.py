from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
import torch

from zspag_core.data.npz import load_npz
from zspag_core.errors import DataError


@pytest.fixture
def arrays(digit_images):
    images, labels = digit_images
    return {"train_x": images[:200], "train_y": labels[:200], "test_x": images[200:300], "test_y": labels[200:300]}


@pytest.fixture
def load(tmp_path):
    def save_and_load(arrays, image_size=8, channels=1):
        np.savez(tmp_path / "mine.npz", **arrays)
        return load_npz(tmp_path / "mine.npz", "mine", image_size, channels)

    return save_and_load


def test_pixels_labels_and_names(arrays, load):
    data = load(arrays | {"class_names": np.array([f"digit {n}" for n in range(10)])})
    assert np.array_equal(data.train.images[:, 0], arrays["train_x"])
    assert np.array_equal(data.test.labels, arrays["test_y"])
    assert data.class_names[3] == "digit 3"
    assert data.name == "mine"


def test_without_names_classes_are_numbered(arrays, load):
    assert load(arrays).class_names == tuple("0123456789")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_channel_axis_of_one_or_three(arrays, load, channels):
    for key in ("train_x", "test_x"):
        arrays[key] = np.repeat(arrays[key][..., None], channels, axis=-1)
    data = load(arrays, 16, 3)
    assert data.train.images.shape == (200, 3, 16, 16)


def test_medmnist_keys_with_columns_of_labels(arrays, load):
    medmnist = {
        "train_images": arrays["train_x"],
        "train_labels": arrays["train_y"][:, None].astype(np.uint8),
        "val_images": np.zeros((1, 8, 8), np.uint8),
        "val_labels": np.array([[77]]),
        "test_images": arrays["test_x"],
        "test_labels": arrays["test_y"][:, None].astype(np.uint8),
    }
    data = load(medmnist)
    assert np.array_equal(data.train.labels, arrays["train_y"])
    assert len(data.test) == 100


@pytest.mark.parametrize("key", ["train_x", "train_y", "test_x", "test_y"])
def test_a_missing_key_is_named(arrays, load, key):
    del arrays[key]
    with pytest.raises(DataError, match=f"mine.npz has no array '{key}' \\(found: "):
        load(arrays)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train_x", np.zeros((200, 8, 8)), "train_x of .*mine.npz is float64; expected uint8"),
        ("train_x", np.zeros((200, 64), np.uint8), r"train_x of .* has shape \(200, 64\); expected \(N, H, W\)"),
        ("train_x", np.zeros((200, 8, 8, 4), np.uint8), r"has shape \(200, 8, 8, 4\)"),
        ("train_x", np.zeros((0, 8, 8), np.uint8), r"has shape \(0, 8, 8\)"),
        ("train_x", np.zeros((199, 8, 8), np.uint8), "train_x of .* has 199 images but train_y of .* has 200 labels"),
        ("train_y", np.zeros(200), "train_y of .* is float64; expected integers"),
        ("train_y", np.zeros((200, 2), int), r"train_y of .* has shape \(200, 2\); expected one label per image"),
        ("train_y", np.full(200, -1), "label of the training images of mine is -1; expected 0 to 9"),
        ("test_y", np.full(100, 2000), "mine has 2,001 classes; expected 2 to 1,000"),
        ("train_y", np.zeros(200, int), "Class '1' is empty in the training images of mine"),
        ("class_names", np.array(["a", "b"]), "expected 0 to 1"),
        ("class_names", np.arange(10), "class_names of .* is int64 of shape"),
        ("train_x", np.array([{}] * 200, object), "train_x of .* cannot be read; expected a plain array"),
    ],
)
def test_wrong_arrays_are_refused(arrays, load, key, value, message):
    with pytest.raises(DataError, match=message):
        load(arrays | {key: value})


def test_one_class_only(arrays, load):
    arrays |= {"train_y": np.zeros(200, int), "test_y": np.zeros(100, int)}
    with pytest.raises(DataError, match="mine has only one class"):
        load(arrays)


class _Bomb:
    def __reduce__(self):
        return pytest.fail, ("a pickle was run",)


def test_a_pickle_is_never_run(arrays, load):
    with pytest.raises(DataError, match="without Python objects"):
        load(arrays | {"train_x": np.array([_Bomb()], object)})


def test_a_member_that_is_no_array(arrays, tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, **{key: value for key, value in arrays.items() if key != "train_x"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("train_x.npy", b"not an array")
    with pytest.raises(DataError, match=r"train_x of .* cannot be read"):
        load_npz(path, "mine", 8, 1)


def test_a_header_that_promises_too_much(arrays, tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**15, 8, 8)})
    path = tmp_path / "mine.npz"
    np.savez(path, **{key: value for key, value in arrays.items() if key != "train_x"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("train_x.npy", header.getvalue())
    with pytest.raises(DataError, match=r"train_x of .* cannot be read"):
        load_npz(path, "mine", 8, 1)


def test_not_an_archive(tmp_path):
    path = tmp_path / "mine.npz"
    path.write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match=r"mine\.npz is not a zip archive that can be read"):
        load_npz(path, "mine", 8, 1)


def test_fashion_mnist(shared_data):
    path = shared_data / "fashion_mnist.npz"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    data = load_npz(path, "fashion_mnist", 28, 1)
    with np.load(path) as stored:
        assert np.array_equal(data.test.images[:, 0], stored["test_x"][..., 0])
    assert data.class_names[9] == "Ankle boot"
    assert torch.equal(data.train.labels.bincount(), torch.full((10,), 6000))
