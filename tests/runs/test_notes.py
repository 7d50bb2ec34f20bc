from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from zspag_core.checkpoints import Checkpoint
from zspag_core.progress import Reporter
from zspag_core.runs.config import RunConfig
from zspag_core.runs.notes import say_assumptions
from zspag_core.runs.prepare import check


class Told(Reporter):
    def __init__(self):
        self.notes = []

    def note(self, sentence):
        self.notes.append(sentence)


@pytest.mark.parametrize(
    ("images", "said"),
    [(1, ["there is one image to forget"]), (9, ["there are 9 images to forget"]), (10, [])],
)
def test_few_images_to_forget_are_told_of(images, said, digits_model, small_digits):
    labels, told = small_digits.train.labels, Told()
    first = torch.cumsum(labels == 3, 0) <= images
    few = replace(small_digits, train=small_digits.train[(labels != 3) | first])
    say_assumptions(check(RunConfig("digits", "", (3,)), Checkpoint(digits_model, {}, ""), few), told)
    assert [note.partition(":")[0] for note in told.notes if "to forget" in note] == said


def test_copies_of_one_image_are_told_of(digits_model, small_digits):
    train, told = small_digits.train, Told()
    threes = (train.labels == 3).nonzero().flatten()
    images = train.images.clone()
    images[threes[2:]] = images[threes[0]].clone()
    copies = replace(small_digits, train=type(train)(images, train.labels))
    say_assumptions(check(RunConfig("digits", "", (3,)), Checkpoint(digits_model, {}, ""), copies), told)
    assert any(f"there are {len(threes)} images, only 2 of them different, to forget" in note for note in told.notes)
