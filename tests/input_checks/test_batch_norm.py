"""Images of one class, prepared otherwise than in the training, are told by what BatchNorm remembers."""

from dataclasses import replace

import pytest
import torch

from zspag_core.checkpoints import Checkpoint
from zspag_core.data.dataset import to_pixels
from zspag_core.input_checks import batch_norm
from zspag_core.input_checks.alternatives import WrongReading, with_reading
from zspag_core.input_checks.batch_norm import preparation_gap
from zspag_core.input_checks.preparation import check_reading
from zspag_core.input_checks.sample import AskedSample


@pytest.fixture(scope="module")
def threes(small_digits):
    """Images of one class and nothing else."""
    return replace(small_digits, train=small_digits.train.of_classes([3]), test=small_digits.test[:0])


def check(checkpoint, dataset, at_size):
    return check_reading(checkpoint, AskedSample.about(checkpoint.model, dataset), at_size)


def foreign(model, **about):
    return Checkpoint(model, {"class_names": [str(k) for k in range(10)], **about}, "")


def test_a_network_that_remembers_nothing_is_not_doubted(small_vit, threes):
    unknown = foreign(small_vit, assumed={"mean": small_vit.config.mean, "std": small_vit.config.std})
    assert check(unknown, threes, lambda _size: threes) == ()


def test_a_normalisation_that_is_far_off_is_refused_or_noted(digits_model, threes):
    dark = with_reading(digits_model, mean=(3.0,), std=digits_model.config.std)
    assumed = {"mean": dark.config.mean, "std": dark.config.std}
    with pytest.raises(WrongReading, match=r"how its images are prepared looks wrong: .* BatchNorm .* --mean"):
        check(foreign(dark, assumed=assumed), threes, lambda _size: threes)
    (note,) = check(foreign(dark, told=assumed), threes, lambda _size: threes)
    assert "are mean and std those of the training?" in note
    right = foreign(digits_model, assumed={"mean": digits_model.config.mean, "std": digits_model.config.std})
    assert check(right, threes, lambda _size: threes) == ()


def test_the_gap_is_that_of_means_and_deviations(digits_model, threes, monkeypatch):
    """The first BatchNorm layer of the small ResNet stands behind its first convolution: counted by hand there."""
    monkeypatch.setattr(batch_norm, "LAYERS", 1)
    model, images = digits_model, threes.train.images[:32]
    convolution, layer = model.stem[0], model.stem[1]
    with torch.no_grad():
        seen = convolution(model.normalise(to_pixels(images)))
    mean, deviation = seen.mean((0, 2, 3)), seen.var((0, 2, 3)).sqrt()
    known = layer.running_var.sqrt()
    by_hand = (((mean - layer.running_mean) / known) ** 2 + (deviation / known).log() ** 2).mean()
    assert preparation_gap(model, images) == pytest.approx(float(by_hand), rel=1e-3)


@pytest.mark.slow
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
