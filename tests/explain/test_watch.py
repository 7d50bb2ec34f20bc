from __future__ import annotations

import pytest
import torch

from zspag_core.data import to_pixels
from zspag_core.explain.gradcam import attention
from zspag_core.explain.watch import ASKED_AT_ONCE, Watch, choose_asking, choose_watched
from zspag_core.metrics.predictions import LabelledLogits, logits_of


@pytest.fixture(scope="module")
def tested(digits_model, small_digits):
    return LabelledLogits(logits_of(digits_model, small_digits.test.images), small_digits.test.labels)


def test_two_forgotten_and_two_of_the_nearest_remaining_classes_are_chosen(tested):
    index = choose_watched(tested, (3,))
    evidence = tested.logits[tested.labels == 3].mean(0)
    evidence[3] = -torch.inf
    assert tested.labels[index].tolist() == [3, 3, *evidence.topk(2).indices.tolist()]
    assert (tested.logits[index].argmax(1) == tested.labels[index]).all()
    assert len(set(index.tolist())) == 4


def test_several_forgotten_classes_share_the_places(tested):
    assert tested.labels[choose_watched(tested, (3, 5, 8))][:2].tolist() == [3, 5]
    nine = choose_watched(tested, tuple(range(9)))
    assert tested.labels[nine].tolist() == [0, 1, 9, 9]


def test_images_that_are_read_right_come_first(tested):
    logits = tested.logits.clone()
    mine = (tested.labels == 3).nonzero().flatten()
    logits[mine, 3] = -99.0
    logits[mine[7], 3] = 99.0
    assert choose_watched(LabelledLogits(logits, tested.labels), (3,))[:2].tolist() == [int(mine[7]), int(mine[0])]


@pytest.mark.parametrize("forget", [(3,), (3, 5, 8), tuple(range(9))])
def test_asking_about_a_few_images_chooses_the_same(tested, forget):
    asked = []

    def answers(index):
        asked.extend(index.tolist())
        return tested.logits[index]

    assert choose_asking(answers, tested.labels, 10, forget).tolist() == choose_watched(tested, forget).tolist()
    gone = int(tested.has_label(forget).sum())
    assert len(asked) == len(set(asked)) <= gone + 2 * ASKED_AT_ONCE


def test_without_an_image_of_any_class_none_is_chosen(tested):
    assert choose_asking(lambda index: tested.logits[index], tested.labels[:0], 10, (3,)).tolist() == []


def test_classes_without_test_images_leave_their_places_empty(tested):
    rest = tested[tested.labels != 3]
    assert len(choose_watched(rest, (3,))) == 2


def test_frames_hold_the_maps_and_answers_of_the_watched_images(
    digits_model, small_digits, tested, state_of, assert_untouched
):
    index = choose_watched(tested, (3,))
    before = state_of(digits_model)
    watch = Watch(digits_model, small_digits.test, index)
    frames = {number: watch.look(number, digits_model) for number in (1, 0)}
    assert [(frame.epoch, frame.layer) for frame in frames.values()] == [(1, "stage 1"), (0, "stage 1")]
    assert_untouched(digits_model, before)
    pixels, labels = to_pixels(small_digits.test.images[index]), small_digits.test.labels[index]
    expected = attention(digits_model, pixels, labels, "stage 1")
    arrays = watch.arrays(frames)
    assert torch.equal(arrays["images"], small_digits.test.images[index])
    assert torch.equal(arrays["labels"], labels)
    assert arrays["epochs"].tolist() == [0, 1]
    assert arrays["maps"].shape == (2, 4, 8, 8)
    torch.testing.assert_close(arrays["maps"][1], expected.maps)
    own = expected.logits.softmax(1)[range(4), labels]
    torch.testing.assert_close(arrays["probability"][0], own)
    assert arrays["predicted"][0].tolist() == expected.logits.argmax(1).tolist()


def test_a_model_without_layers_is_not_watched(odd_model, small_digits):
    watch = Watch(odd_model, small_digits.test, torch.tensor([0]))
    assert watch.look(0, odd_model) is None
    assert watch.arrays({}) == {}
