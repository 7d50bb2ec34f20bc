from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

from zspag_core.data import to_pixels
from zspag_core.errors import UnlearningError
from zspag_core.metrics.live import LiveGrades, QuickGrades
from zspag_core.metrics.predictions import logits_of


def test_grades_are_those_of_the_sample_by_hand(small_digits, digits_model, state_of, assert_untouched):
    before = state_of(digits_model)
    live = LiveGrades(small_digits, (3, 5), 0)
    figures = live.grade(digits_model)
    assert tuple(figures) == live.names
    remaining, forgotten, members = live.sizes
    images, labels = live.sample.images[: remaining + forgotten], live.sample.labels[: remaining + forgotten]
    gone = (labels == 3) | (labels == 5)
    assert gone.tolist() == [False] * remaining + [True] * forgotten
    assert set(live.sample.labels[-members:].tolist()) == {3, 5}
    with torch.no_grad():
        logits = digits_model(to_pixels(images))
    right = logits.argmax(1) == labels
    assert figures["acc_rt"] == pytest.approx(100 * float(right[~gone].float().mean()), abs=1e-3)
    assert figures["acc_ut"] == pytest.approx(100 * float(right[gone].float().mean()), abs=1e-3)
    assert figures["loss_rt"] == pytest.approx(float(F.cross_entropy(logits[~gone], labels[~gone])), rel=1e-4)
    assert 0 <= figures["mia"] <= 100
    assert_untouched(digits_model, before)


def test_the_sample_holds_test_images_of_both_kinds_and_training_images_of_the_forgotten(small_digits):
    live = LiveGrades(small_digits, (3,), 0)
    test = {image.numpy().tobytes() for image in small_digits.test.images}
    train = {image.numpy().tobytes() for image in small_digits.train.of_classes((3,)).images}
    remaining, forgotten, members = live.sizes
    assert forgotten == int((small_digits.test.labels == 3).sum())
    assert remaining == min(750, len(small_digits.test) - forgotten)
    assert all(image.numpy().tobytes() in test for image in live.sample.images[: remaining + forgotten])
    assert all(image.numpy().tobytes() in train for image in live.sample.images[-members:])
    again = LiveGrades(small_digits, (3,), 0)
    assert torch.equal(live.sample.images, again.sample.images)


def test_few_images_have_no_membership_figure(small_digits, digits_model):
    few = torch.cat([(small_digits.test.labels == 3).nonzero().flatten()[:4],
                     (small_digits.test.labels != 3).nonzero().flatten()[:20]])  # fmt: skip
    tiny = type(small_digits)("tiny", small_digits.class_names, small_digits.train, small_digits.test[few])
    assert LiveGrades(tiny, (3,), 0).grade(digits_model)["mia"] is None


def test_of_a_sample_of_the_images_to_forget_its_size_is_told_beside_the_figure(small_digits):
    train = small_digits.train.of_classes((3,))
    whole, sampled = (
        LiveGrades(type(small_digits)("t", small_digits.class_names, part, train[:0]), (3,), 0)
        for part in (train[:9], train[torch.arange(270) % 9])
    )
    assert (whole.in_part, sampled.in_part) == ({}, {"forget_sample": 250})


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_outputs_that_are_no_numbers_are_told_in_one_sentence(small_digits, digits_model, broken):
    model = copy.deepcopy(digits_model)
    with torch.no_grad():
        model.head.bias[0] = broken
    with pytest.raises(UnlearningError, match="outputs became NaN or infinite; try a smaller learning_rate"):
        LiveGrades(small_digits, (3,), 0).grade(model)


def test_a_quick_look_is_at_fewer_images_and_leaves_membership_out(digits_model, small_digits):
    live = QuickGrades(small_digits, (3,), 0)
    assert sum(live.sizes[:2]) <= QuickGrades.most < LiveGrades.most
    found = live.grade(digits_model)
    assert found["mia"] is None
    tested = live.sample.labels[: sum(live.sizes[:2])]
    right = logits_of(digits_model, live.sample.images)[: len(tested)].argmax(1) == tested
    assert found["acc_ut"] == pytest.approx(100 * float(right[tested == 3].float().mean()))


def test_a_glance_is_at_the_first_images_of_the_sample(small_digits, digits_model):
    live = LiveGrades(small_digits, (3,), 0)
    live.glance_images = 40
    seen = live.glance(digits_model)
    remaining = live.sizes[0]
    with torch.no_grad():
        right = digits_model(to_pixels(live.sample.images)).argmax(1) == live.sample.labels
    assert seen["acc_rt"] == pytest.approx(100 * float(right[:30].double().mean()))
    assert seen["acc_ut"] == pytest.approx(100 * float(right[remaining : remaining + 10].double().mean()))


def test_a_glance_without_test_images_is_at_images_to_forget(small_digits, digits_model):
    train = small_digits.train
    alone = type(small_digits)("t", small_digits.class_names, train.of_classes((3,)), train[:0])
    live = LiveGrades(alone, (3,), 0)
    assert live.glance(digits_model) == {"acc_rt": None, "forget_images": live.grade(digits_model)["forget_images"]}


def test_trials_are_not_glanced_at():
    assert QuickGrades.glance_images == 0
