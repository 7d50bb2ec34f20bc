"""Images with colours or brightness exchanged are told from those of the training."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from zspag_core.data.dataset import DataSet, Split
from zspag_core.errors import UsageError
from zspag_core.input_checks.altered_images import check_altered
from zspag_core.input_checks.sample import AskedSample
from zspag_core.models.base import Classifier, ModelConfig


class ReadsColour(Classifier):
    """Says 0 of red images, 1 of yellow ones, 2 of all others."""

    architecture = "colour"
    cam_layers = None

    def __init__(self):
        super().__init__(ModelConfig(image_size=8, channels=3, num_classes=3))
        self.head = torch.nn.Linear(3, 3)

    def embed(self, images):
        red, green, blue = images.mean((2, 3)).unbind(1)
        return torch.stack([red - green - blue, red + green - 2 * blue - 0.8, torch.zeros_like(red)], dim=1)

    def forward(self, images):
        return self.embed(images)


def check(model, dataset, *, kept):
    return check_altered(AskedSample.about(model, dataset), kept=kept)


@pytest.fixture
def colours():
    labels = torch.arange(90) % 3
    pixels = torch.full((90, 3, 8, 8), 20, dtype=torch.uint8)
    pixels[labels < 2, 0] = 200
    pixels[labels == 1, 1] = 200
    return DataSet("colours", ("red", "yellow", "grey"), Split(pixels, labels), Split(pixels[:0], labels[:0]))


def with_images(dataset, change):
    return replace(dataset, train=Split(change(dataset.train.images), dataset.train.labels))


def swapped(images):
    return images.flip(1)


def inverted(images):
    return 255 - images


def test_images_as_in_the_training_pass(colours, digits_model, small_digits):
    assert check(ReadsColour(), colours, kept=False) == ()
    assert check(digits_model, small_digits, kept=False) == ()


def test_red_and_blue_exchanged_are_refused(colours):
    with pytest.raises(
        UsageError,
        match=r"33.3 % of 90 of them in the best order of the classes, with red and blue exchanged 100.0 %",
    ):
        check(ReadsColour(), with_images(colours, swapped), kept=False)


def test_light_and_dark_exchanged_are_refused_unless_kept(digits_model, small_digits):
    negatives = with_images(small_digits, inverted)
    with pytest.raises(UsageError) as caught:
        check(digits_model, negatives, kept=False)
    assert "with light and dark exchanged" in str(caught.value)
    assert "--order given" in str(caught.value)
    (note,) = check(digits_model, negatives, kept=True)
    assert note.endswith(": were the images altered on their way?")


def test_of_one_class_it_is_noted(digits_model, small_digits, colours):
    negatives = with_images(small_digits, inverted)
    alone = replace(negatives, train=negatives.train.of_classes([3]), test=negatives.test[torch.arange(0)])
    (note,) = check(digits_model, alone, kept=False)
    assert "with light and dark exchanged" in note
    red = replace(colours, train=with_images(colours, swapped).train.of_classes([0]))
    (note,) = check(ReadsColour(), red, kept=False)
    assert "as they are the model reads 0.0 %" in note
    assert "with red and blue exchanged 100.0 %" in note
