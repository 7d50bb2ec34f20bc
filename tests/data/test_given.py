from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, TensorDataset

from zspag_core.data.dataset import Split
from zspag_core.data.given import Pixels, joined, labels_of, pixels_of, taken_apart
from zspag_core.data.resizing import Resizing

GREY, COLOUR = Pixels(None, 1), Pixels(None, 3)


@pytest.fixture
def digits(small_digits):
    """Twelve real digits, (12, 1, 8, 8) uint8."""
    return small_digits.test.images[:12]


def test_bytes_come_back_as_they_are(digits):
    for form in (digits, digits.numpy(), digits.permute(0, 2, 3, 1), digits[:, 0], list(digits), digits.long()):
        assert torch.equal(pixels_of("images", form, GREY), digits)


def test_floats_and_whole_floats(digits):
    for form in (digits.float() / 255, digits.double() / 255, digits.float(), (digits.float() / 255).numpy()):
        assert torch.equal(pixels_of("images", form, GREY), digits)


def test_whole_floats_of_bytes_are_taken_as_such_and_that_is_said(digits):
    notes: list[str] = []
    pixels_of("images", digits.float(), replace(GREY, note=notes.append))
    assert notes == ["images: whole floats from 0 to 255 were taken as bytes, not as pixels in [0, 1]"]


def test_pictures(digits):
    pictures = [Image.fromarray(image[0].numpy()) for image in digits]
    assert torch.equal(pixels_of("images", pictures, GREY), digits)
    assert torch.equal(pixels_of("images", pictures, COLOUR), digits.expand(-1, 3, -1, -1))
    assert pixels_of("images", pictures, Pixels(Resizing(16), 3)).shape == (12, 3, 16, 16)


def test_a_resized_crop_is_pillows():
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 45, 3), dtype=np.uint8))
    how = Pixels(Resizing(16, 20), 3)
    expected = np.asarray(picture.resize((30, 20), Image.Resampling.BILINEAR).crop((7, 2, 23, 18)))
    found = pixels_of("images", [picture], how)[0].permute(1, 2, 0).numpy()
    assert np.array_equal(found, expected)


def test_a_normalisation_is_undone(digits):
    mean, std = (0.3,), (0.35,)
    normalised = (digits.float() / 255 - 0.3) / 0.35
    assert torch.equal(pixels_of("images", normalised, Pixels(None, 1, (mean, std))), digits)


def test_rounding_is_told(digits):
    said = []
    pixels_of("images", digits.float() / 300, Pixels(None, 1, note=said.append))
    assert said == ["images: floats were rounded to the 256 levels of a byte"]


class Named(Dataset):
    """Samples as Hugging Face's data sets have them."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, place):
        return {"image": self.images[place], "label": place % 10}


def test_data_sets_and_loaders(digits):
    labels = torch.arange(12) % 10
    pairs = TensorDataset(digits, labels)
    for source in (pairs, DataLoader(pairs, 5), Named(digits), iter(pairs)):
        images, found = taken_apart("images", source, None)
        assert torch.equal(pixels_of("images", images, GREY), digits)
        assert torch.equal(labels_of("images", found, 12, int), labels)


def test_labels_in_every_form():
    names = {"cat": 0, "dog": 1, 0: 0, 1: 1}.__getitem__
    for form in (
        ["cat", "dog"],
        [0, 1],
        (0, 1),
        np.array([0, 1]),
        torch.tensor([0, 1]),
        torch.tensor([[0], [1]])[:, 0],
    ):
        assert labels_of("images", form, 2, names).tolist() == [0, 1]
    assert labels_of("images", "dog", 3, names).tolist() == [1, 1, 1]
    assert labels_of("images", 1, 2, names).dtype == torch.int64


def test_joined(digits):
    one, other = Split(digits[:5], torch.arange(5)), Split(digits[5:], torch.arange(7))
    both = joined(one, other)
    assert torch.equal(both.images, digits)
    assert both.labels.tolist() == [*range(5), *range(7)]


def floats(low, high):
    return torch.tensor([low, high] * 32).view(1, 1, 8, 8)


BAD = [
    ("a folder", "got str"),
    ([], "at least one image"),
    ([torch.zeros(1, 8, 8), "x"], "got a list with str"),
    ([torch.zeros(1, 8, 8), torch.zeros(1, 9, 9)], "got several sizes"),
    ([Image.new("L", (8, 8)), Image.new("L", (9, 9))], "got several sizes"),
    ([Image.new("L", (8, 9))], "got 8 x 9 pixels"),
    (torch.zeros(2, 1, 8, 9, dtype=torch.uint8), "got 9 x 8 pixels"),
    (torch.zeros(2, 5, 8, 8), "got (2, 5, 8, 8)"),
    (torch.zeros(0, 1, 8, 8), "got shape (0, 1, 8, 8)"),
    (torch.zeros(8), "got (8,)"),
    (floats(0.0, float("nan")), "not finite"),
    (floats(-1.0, 1.0), "floats from -1 to 1"),
    (floats(0.5, 255.0), "floats from 0.5 to 255"),
    (torch.full((1, 1, 8, 8), 300), "got int64"),
    (torch.ones(1, 1, 8, 8, dtype=torch.bool), "got bool"),
]


@pytest.mark.parametrize(("images", "words"), BAD, ids=[words for _, words in BAD])
def test_what_is_no_image_is_refused(images, words):
    with pytest.raises(ValueError, match="images: expected") as refused:
        pixels_of("images", images, GREY)
    assert words in str(refused.value)


def test_a_normalisation_that_was_another_is_refused(digits):
    with pytest.raises(ValueError, match="once preprocess's mean and std were undone"):
        pixels_of("images", digits.float() / 25 - 3, Pixels(None, 1, ((0.3,), (0.35,))))


@pytest.mark.parametrize(
    ("labels", "words"),
    [([1], "each of the 2 images, got 1"), ([0.5, 1], "got 0.5"), ([True, 1], "got True"), (2.5, "got float")],
)
def test_labels_that_do_not_fit_are_refused(labels, words):
    with pytest.raises(ValueError, match="labels: expected") as refused:
        labels_of("images", labels, 2, int)
    assert words in str(refused.value)


@pytest.mark.parametrize("source", [torch.zeros(2, 1, 8, 8), None, "x", [torch.zeros(1, 8, 8)]])
def test_images_without_labels_are_refused(source):
    with pytest.raises(ValueError, match="labels: expected"):
        taken_apart("images", source, None)
