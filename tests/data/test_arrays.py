from __future__ import annotations

import numpy as np
import pytest
import torch

from zspag_core.data.arrays import ArrayPart, found_arrays, with_channels
from zspag_core.data.parts import finish
from zspag_core.data.reading import ClassReading
from zspag_core.errors import DataError

NAMES = np.array(["cat", "dog", "ant"])


@pytest.fixture
def pixels(digit_images):
    return digit_images[0][:30]


@pytest.fixture
def colour(pixels):
    return np.stack([pixels, 255 - pixels, pixels // 2], -1)


LABELS = np.arange(30) % 3


def read(images, labels=LABELS, reading=None, channels=None, class_names=None):
    shaped, _ = with_channels("x", images)
    part = ArrayPart(images, labels, "x of mine.npz", "y of mine.npz")
    found = found_arrays("mine", [part, part], class_names)
    return finish(found, shaped.shape[1], channels or shaped.shape[-1], *([reading] if reading else []))


@pytest.mark.parametrize(
    ("change", "notes"),
    [
        (lambda x: x, 0),
        (lambda x: x.astype(np.int64), 0),
        (lambda x: x.astype(np.uint16) * 257, 1),
        (lambda x: x.astype(np.float32) / 255, 0),
        (lambda x: x.astype(np.float64), 0),
        (lambda x: x / 127.5 - 1, 1),
        (lambda x: np.clip(x + 0.25, 0, 255), 1),
        (lambda x: np.moveaxis(x, -1, 1), 1),
        (lambda x: np.concatenate([x, x[..., :1]], -1), 1),
        (lambda x: np.moveaxis(np.concatenate([x, x[..., :1]], -1), -1, 1), 1),
    ],
)
def test_every_way_to_keep_colours_gives_the_same_pixels(colour, change, notes):
    data = read(change(colour))
    assert torch.equal(data.train.images, torch.from_numpy(np.moveaxis(colour, -1, 1)))
    assert len({note.replace("x of", "") for note in data.notes}) == notes


@pytest.mark.parametrize(
    ("change", "notes"),
    [
        (lambda x: x, 0),
        (lambda x: x[..., None], 0),
        (lambda x: x[:, None], 1),
        (lambda x: x.reshape(30, 64), 1),
    ],
)
def test_every_way_to_keep_grey_gives_the_same_pixels(pixels, change, notes):
    data = read(change(pixels))
    assert torch.equal(data.train.images[:, 0], torch.from_numpy(pixels))
    assert len(data.notes) == notes


def test_masks_are_black_and_white(pixels):
    for dtype in (bool, np.int32):
        assert read((pixels > 99).astype(dtype)).train.images.unique().tolist() == [0, 255]


def test_twelve_bits_are_scaled_alike_in_both_parts(pixels):
    wide = pixels.astype(np.uint16) * 16
    parts = [ArrayPart(part, LABELS, f"{k} of mine", "y") for k, part in enumerate((wide, wide // 8))]
    data = finish(found_arrays("mine", parts), 8, 1)
    assert int(data.train.images.max()) == 254
    assert int(data.test.images.max()) == pytest.approx(254 / 8, abs=1)


def test_a_part_without_dark_pixels_does_not_change_the_range(pixels):
    signed = pixels / 127.5 - 1
    parts = [ArrayPart(part, LABELS, f"{k} of mine", "y") for k, part in enumerate((signed, np.abs(signed)))]
    data = finish(found_arrays("mine", parts), 8, 1)
    assert int(data.test.images.min()) >= 127


def test_few_bits_in_bytes_are_noted(pixels):
    assert "nearly black" in read(pixels // 16).notes[0]
    assert "nearly black" in read((pixels // 16).astype(float)).notes[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda y: y[:, None].astype(np.uint8),
        lambda y: y.astype(np.float32),
        lambda y: np.eye(3)[y],
        lambda y: np.eye(3, dtype=np.uint8)[y],
        lambda y: np.eye(3, dtype=bool)[y],
        lambda y: y.astype(np.uint64),
    ],
)
def test_every_way_to_number_classes(pixels, change):
    data = read(pixels, change(LABELS))
    assert data.train.labels.tolist() == LABELS.tolist()
    assert data.class_names == ("0", "1", "2")


def test_labels_from_one_keep_their_names(pixels):
    data = read(pixels, LABELS + 1)
    assert data.class_names == ("1", "2", "3")
    assert data.train.labels.tolist() == LABELS.tolist()
    assert data.notes == ("the labels of mine run from 1; they are taken in that order",)


@pytest.mark.parametrize("change", [lambda y: NAMES[y], lambda y: NAMES[y].astype("S"), lambda y: NAMES[y][:, None]])
def test_labels_may_be_names(pixels, change):
    data = read(pixels, change(LABELS))
    assert data.class_names == ("ant", "cat", "dog")
    assert [data.class_names[k] for k in data.train.labels[:3]] == ["cat", "dog", "ant"]
    data = read(pixels, change(LABELS), ClassReading(("bird", "dog", "cat", "ant")))
    assert data.train.labels[:3].tolist() == [2, 1, 3]


def test_names_of_numbers_are_found_among_the_models(pixels):
    data = read(pixels, LABELS, ClassReading(("bird", "dog", "cat", "ant")), class_names=["cat", "dog", "ant"])
    assert data.train.labels[:3].tolist() == [2, 1, 3]


def test_one_hot_columns_are_as_many_as_the_models_outputs(pixels):
    hot = np.eye(5)[LABELS]
    assert read(pixels, hot, ClassReading(num_classes=5)).num_classes == 5
    with pytest.raises(DataError, match=r"the model tells 4 classes apart, mine has 5 \(one-hot columns\)"):
        read(pixels, hot, ClassReading(num_classes=4))
    with pytest.raises(DataError, match="Class '3' is empty in the training images of mine"):
        read(pixels, hot)


def test_unlabelled_images_are_left_aside(pixels):
    labels = LABELS.copy()
    labels[:4] = -1
    data = read(pixels, labels)
    assert len(data.train) == 26
    assert torch.equal(data.train.images[:, 0], torch.from_numpy(pixels[4:]))
    assert "4 of the training images of mine have no label and are left aside" in data.notes


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((30, 65), np.uint8), r"has shape \(30, 65\); expected \(N, H, W\)"),
        (np.zeros((30, 192), np.uint8), "rows of 3 x 8 x 8 values nothing says whether colours or pixels come first"),
        (np.zeros((30, 8, 8, 5), np.uint8), r"has shape \(30, 8, 8, 5\)"),
        (np.zeros((30, 9, 9, 9), np.uint8), "volumes are no images"),
        (np.zeros((30, 3, 8, 8, 8), np.uint8), "volumes are no images"),
        (np.zeros((0, 8, 8), np.uint8), r"has shape \(0, 8, 8\)"),
        (np.zeros(30, np.uint8), r"has shape \(30,\)"),
        (np.zeros((), np.uint8), r"has shape \(\)"),
    ],
)
def test_shapes_that_are_no_images_are_refused(images, message):
    with pytest.raises(DataError, match=f"^x .*{message}"):
        with_channels("x", images)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([np.nan, 0.5], "float32 with values that are not finite"),
        ([np.inf], "float32 with values that are not finite"),
        ([-0.25, 0.5], "float32 from -0.25 to 0.5; .*that a mean and deviation were taken from"),
        ([-2.5, 2.5], "float32 from -2.5 to 2.5"),
        ([256], "float32 from 0.0 to 256.0"),
        ([3.5], "float32 from 0.0 to 3.5 with fractions"),
        (np.array([-3], np.int16), "int16 from -3 to 0"),
        (np.array([70_000], np.int64), "int64 from 0 to 70000"),
        (np.array([1j]), "complex128; expected uint8"),
    ],
)
def test_values_that_are_no_pixels_are_refused(values, found):
    images = np.zeros((30, 2, 2), getattr(values, "dtype", np.float32))
    images[-1].flat[: len(values)] = values
    with pytest.raises(DataError, match=f"^x of mine.npz is {found}"):
        read(images)


def test_extremes_are_finite():
    with pytest.raises(DataError, match=r"from -1e\+308 to 1e\+308"):
        read(np.resize([1e308, -1e308], (30, 2, 2)))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array(3), r"y of mine.npz has shape \(\); expected one label per image"),
        (np.zeros(29, int), "x of mine.npz has 30 images but y of mine.npz has 29 labels"),
        (np.full(30, 0.5), "y of mine.npz is float64 with fractions or missing values; expected integers"),
        (np.full(30, np.nan), "with fractions or missing values"),
        (np.zeros(30, complex), "y of mine.npz is complex128; expected integers or names"),
        (np.zeros((30, 2), int), r"shape \(30, 2\); expected one label per image, .*multi-label"),
        (np.eye(3, dtype=int)[LABELS] | np.eye(3, dtype=int)[0], r"shape \(30, 3\); .*multi-label"),
        (np.full((30, 2), 0.5), r"has shape \(30, 2\)"),
        (np.zeros((30, 1, 1), int), r"has shape \(30, 1, 1\)"),
        (NAMES[LABELS].reshape(15, 2).repeat(2, 0), r"has shape \(30, 2\)"),
        (np.full(30, -1), "The training images of mine have no labels; expected the class of each"),
        (np.full(30, -2), "A label of mine is -2; expected 0 or above"),
        (np.full(30, 10**15), r"mine has 1,000,000,000,000,001 classes"),
        (np.full(30, 1e300), "y of mine.npz has values up to 1e.300; expected the numbers of classes"),
        (LABELS * 2, "Class '1' is empty in the training images of mine"),
    ],
)
def test_labels_that_are_no_classes_are_refused(pixels, labels, message):
    with pytest.raises(DataError, match=message):
        read(pixels, labels)


def test_names_in_one_part_only_are_refused(pixels):
    parts = [ArrayPart(pixels, labels, "x", what) for labels, what in ((NAMES[LABELS], "a"), (LABELS, "b"))]
    with pytest.raises(DataError, match="a and b differ in kind; expected names in both"):
        found_arrays("mine", parts)
