"""Images of one class, prepared otherwise than in the training, are told by what BatchNorm remembers."""

from dataclasses import replace

import pytest

from zspag_core.checkpoints import Checkpoint
from zspag_core.doubts.asked import Asked
from zspag_core.doubts.readings import check_reading
from zspag_core.doubts.tried import WrongReading, with_reading


@pytest.fixture(scope="module")
def threes(small_digits):
    """Images of one class and nothing else."""
    return replace(small_digits, train=small_digits.train.of_classes([3]), test=small_digits.test[:0])


def check(checkpoint, dataset, at_size):
    return check_reading(checkpoint, Asked.about(checkpoint.model, dataset), at_size)


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
