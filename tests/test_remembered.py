"""What BatchNorm remembers tells how images are prepared, also where they are all of one class."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from zspag_core import remembered
from zspag_core.data.dataset import to_pixels
from zspag_core.doubts.tried import with_reading
from zspag_core.remembered import preparation_gap


@pytest.fixture(scope="module")
def threes(small_digits):
    """Images of one class and nothing else."""
    return replace(small_digits, train=small_digits.train.of_classes([3]), test=small_digits.test[:0])


def test_the_gap_is_that_of_means_and_deviations(digits_model, threes, monkeypatch):
    """The first BatchNorm layer of the small ResNet stands behind its first convolution: counted by hand there."""
    monkeypatch.setattr(remembered, "LAYERS", 1)
    model, images = digits_model, threes.train.images[:32]
    convolution, layer = model.stem[0], model.stem[1]
    with torch.no_grad():
        seen = convolution(model.normalise(to_pixels(images)))
    mean, deviation = seen.mean((0, 2, 3)), seen.var((0, 2, 3)).sqrt()
    known = layer.running_var.sqrt()
    by_hand = (((mean - layer.running_mean) / known) ** 2 + (deviation / known).log() ** 2).mean()
    assert preparation_gap(model, images) == pytest.approx(float(by_hand), rel=1e-3)


@pytest.mark.parametrize("k", range(10))
def test_images_of_any_one_class_fit_as_they_were_trained_and_no_other_way(digits_model, small_digits, k):
    images, own = small_digits.train.of_classes([k]).images, digits_model.config
    right = preparation_gap(digits_model, images)
    raw = preparation_gap(with_reading(digits_model, mean=(0.0,), std=(1.0,)), images)
    dark = preparation_gap(with_reading(digits_model, mean=(own.mean[0] + 1,), std=own.std), images)
    assert right < 0.4
    assert min(raw, dark) > 2.5 * right


def test_a_network_that_remembers_nothing_says_nothing(small_vit, threes):
    assert preparation_gap(small_vit, threes.train.images) is None
