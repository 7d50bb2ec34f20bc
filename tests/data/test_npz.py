from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
import torch

from zspag_core.data.npz import load_npz
from zspag_core.data.reading import ClassReading
from zspag_core.data.split import stratified_split
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
    same = load(arrays | {"label_names": np.array([f"digit {n}" for n in range(10)], "S")})
    assert same.class_names == data.class_names


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


def without_test(arrays, images="train_x", labels="train_y"):
    """Return the training part alone, under keys of one's own."""
    return {images: arrays["train_x"], labels: arrays["train_y"]}


WHOLE = [
    ("train_x", "train_y"),
    ("train_images", "train_labels"),
    ("x", "y"),
    ("images", "labels"),
    ("data", "labels"),
    ("arr_0", "arr_1"),
    ("arr_1", "arr_0"),
    ("Xtrain", "ytrain"),
    ("data", "target"),
]


@pytest.mark.parametrize("keys", WHOLE)
def test_without_a_test_part_a_fixed_fifth_of_every_class_is_kept(arrays, load, keys):
    data = load(without_test(arrays, *keys))
    train, test = stratified_split(torch.from_numpy(arrays["train_y"]))
    for split, indices in ((data.train, train), (data.test, test)):
        assert np.array_equal(split.images[:, 0], arrays["train_x"][indices])
        assert np.array_equal(split.labels, arrays["train_y"][indices])
    assert len(data.test) == pytest.approx(40, abs=5)
    assert data.class_names == tuple("0123456789")


def test_names_and_other_arrays_beside_a_part_alone(arrays, load):
    names = np.array([f"digit {n}" for n in range(10)])
    data = load(without_test(arrays) | {"class_names": names, "val_x": np.zeros(3), "latest": np.zeros(1)})
    assert data.class_names == tuple(names)
    assert len(data.train) + len(data.test) == 200


def test_one_image_of_a_class_cannot_be_split(arrays, load):
    arrays["train_x"], arrays["train_y"] = arrays["train_x"][:10], np.arange(10)
    with pytest.raises(DataError, match=r"^Class '0' of mine has one image; two are needed, one of them for testing"):
        load(without_test(arrays))


def test_a_label_that_is_left_out_of_a_part_alone(arrays, load):
    arrays["train_y"] = arrays["train_y"] * 2
    with pytest.raises(DataError, match="Class '1' is empty in the images of mine"):
        load(without_test(arrays))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["x"], "has no array of labels, such as 'train_y', beside 'x'"),
        (["labels"], "has no array of images, such as 'train_x', beside 'labels'"),
        (["train_labels"], "has no array of images, such as 'train_x', beside 'train_labels'"),
        (
            ["train_images", "train_labels", "test_images"],
            "has no array of labels, such as 'test_y', beside 'test_images'",
        ),
        (["test_x", "test_y"], "has no array of images, such as 'train_x'"),
        (["mean", "std"], "has no array of images, such as 'train_x'"),
        (["x", "images", "y"], "has two arrays of images, 'x' and 'images'"),
        ([], "has no array of images, such as 'train_x'"),
    ],
)
def test_half_a_part_is_refused(load, keys, said):
    found = ", ".join(keys) or "none"
    with pytest.raises(DataError, match=f"mine.npz {said} \\(found: {found}\\); expected train_x"):
        load({key: np.zeros((4, 8, 8), np.uint8) for key in keys})


def test_two_arrays_without_names_that_could_both_be_images(load):
    with pytest.raises(DataError, match=r"mine\.npz has two arrays without names that could both be images"):
        load({"arr_0": np.zeros((4, 8, 8), np.uint8), "arr_1": np.zeros((4, 8, 8), np.uint8)})


@pytest.mark.parametrize(
    "keys",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("X_train", "Y_train", "X_test", "Y_test"),
        ("trainX", "trainY", "testX", "testY"),
        ("training_images", "training_labels", "testing_images", "testing_labels"),
        ("train_imgs", "train_targets", "val_imgs", "val_targets"),
        ("train_set_x", "train_set_y", "test_set_x", "test_set_y"),
        ("x", "y", "x_test", "y_test"),
        ("train_x", "train_y", "test_images", "test_labels"),
    ],
)
def test_every_usual_way_to_name_arrays(arrays, load, keys):
    data = load(dict(zip(keys, arrays.values(), strict=True)))
    assert np.array_equal(data.train.images[:, 0], arrays["train_x"])
    assert np.array_equal(data.test.labels, arrays["test_y"])


def test_validation_beside_a_test_part_is_left_aside_with_a_note(arrays, load):
    data = load(arrays | {"val_x": arrays["test_x"][:5], "val_y": arrays["test_y"][:5]})
    assert len(data.test) == 100
    assert data.notes[0].endswith("mine.npz are left aside")
    assert data.notes[0].startswith("val_x, val_y of ")


def test_images_of_one_class_alone_with_a_model(arrays, tmp_path):
    fives = arrays["train_y"] == 5
    np.savez(tmp_path / "mine.npz", x=arrays["train_x"][fives], y=arrays["train_y"][fives])
    data = load_npz(tmp_path / "mine.npz", "mine", 8, 1, ClassReading(tuple("abcdefghij")))
    assert data.train.labels.tolist() == [5] * int(fives.sum())
    assert len(data.test) == 0
    assert data.test.images.shape == (0, 1, 8, 8)
    assert data.num_classes == 10


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_give_the_same_pixels_as_bytes(arrays, load, dtype):
    whole, expected = arrays["train_x"].astype(dtype), load(arrays)
    data = load(arrays | {"train_x": whole, "test_x": (arrays["test_x"] / 255).astype(dtype)})
    assert torch.equal(data.train.images, expected.train.images)
    assert torch.equal(data.test.images, expected.test.images)


@pytest.mark.parametrize("key", ["train_x", "train_y", "test_x", "test_y"])
def test_a_missing_key_is_named(arrays, load, key):
    del arrays[key]
    with pytest.raises(DataError, match=f"mine.npz has no array of (images|labels), such as '{key}', beside '"):
        load(arrays)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train_x", np.full((200, 8, 8), -1), "train_x of .*mine.npz is int64 from -1 to 255; expected uint8"),
        ("train_x", np.zeros((200, 8, 8), complex), "train_x of .*mine.npz is complex128; expected uint8"),
        ("train_x", np.full((200, 8, 8), np.nan), "train_x of .*mine.npz is float64 with values that are not finite"),
        ("test_x", np.full((100, 8, 8), -2.0), "test_x of .*mine.npz is float64 from -2.0 to 255.0; expected uint8"),
        ("train_x", np.zeros((200, 65), np.uint8), r"train_x of .* has shape \(200, 65\); expected \(N, H, W\)"),
        ("train_x", np.zeros((200, 8, 8, 5), np.uint8), r"has shape \(200, 8, 8, 5\)"),
        ("train_x", np.zeros((0, 8, 8), np.uint8), r"has shape \(0, 8, 8\)"),
        ("train_x", np.zeros((199, 8, 8), np.uint8), "train_x of .* has 199 images but train_y of .* has 200 labels"),
        ("train_y", np.full(200, 0.5), "train_y of .* is float64 with fractions or missing values; expected integers"),
        ("train_y", np.zeros((200, 2), int), r"train_y of .* has shape \(200, 2\); expected one label per image"),
        ("train_y", np.full(200, -1), "The training images of mine have no labels; expected the class of each"),
        ("test_y", np.full(100, 2000), "mine has 2,001 classes; expected 2 to 1,000"),
        ("test_y", np.full(100, 10**15), "mine has 1,000,000,000,000,001 classes; expected 2 to 1,000"),
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


def test_a_damaged_array_is_said_to_be_damaged(arrays, tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    whole = bytearray(path.read_bytes())
    start = whole.find(arrays["train_x"].tobytes()[:64]) + 100
    whole[start : start + 100] = bytes(255 - value for value in whole[start : start + 100])
    path.write_bytes(whole)
    with pytest.raises(DataError, match=r"^train_x of .*mine\.npz cannot be read: the file is damaged\.$"):
        load_npz(path, "mine", 8, 1)


def test_a_member_that_is_no_array(arrays, tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, **{key: value for key, value in arrays.items() if key != "train_x"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("train_x.npy", b"not an array")
    with pytest.raises(DataError, match=r"train_x of .* cannot be read"):
        load_npz(path, "mine", 8, 1)


def test_a_header_that_is_torn(arrays, tmp_path):
    whole = io.BytesIO()
    np.save(whole, arrays["train_x"])
    path = tmp_path / "mine.npz"
    np.savez(path, **{key: value for key, value in arrays.items() if key != "train_x"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("train_x.npy", whole.getvalue().replace(b"}", b"(", 1))
    with pytest.raises(DataError, match=r"train_x of .* cannot be read"):
        load_npz(path, "mine", 8, 1)


def test_an_archive_behind_other_bytes_is_no_npz(arrays, tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    path.write_bytes(b"MZ" + path.read_bytes())
    with pytest.raises(DataError, match=r"mine\.npz cannot be read; expected an \.npz file"):
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


@pytest.mark.slow
def test_fashion_mnist(shared_data):
    path = shared_data / "fashion_mnist.npz"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    data = load_npz(path, "fashion_mnist", 28, 1)
    with np.load(path) as stored:
        assert np.array_equal(data.test.images[:, 0], stored["test_x"][..., 0])
    assert data.class_names[9] == "Ankle boot"
    assert torch.equal(data.train.labels.bincount(), torch.full((10,), 6000))
