from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from zspag_core.metrics.accuracy import accuracy, mask_accuracy
from zspag_core.metrics.predictions import logits_of

LOGITS = torch.tensor([[2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [2.0, 1.0, 0.0], [3.0, 0.0, 2.0]])
LABELS = torch.tensor([0, 1, 1, 2])


def test_by_hand():
    figures = accuracy(LOGITS, LABELS, [2])
    assert figures.acc_rt == pytest.approx(200 / 3)
    assert figures.acc_ut == 0.0
    assert figures.acc_per_class == (100.0, 50.0, 0.0)
    normaliser = math.log(math.exp(2) + math.e + 1)
    assert figures.loss_rt == pytest.approx((3 * normaliser - 2 - 2 - 1) / 3)


def test_against_scikit_learn():
    generator = torch.Generator().manual_seed(1)
    logits, labels = torch.randn(300, 5, generator=generator), torch.randint(5, (300,), generator=generator)
    figures = accuracy(logits, labels, [1, 4])
    answers, gone = logits.argmax(dim=1), torch.isin(labels, torch.tensor([1, 4]))
    assert figures.acc_rt == pytest.approx(100 * accuracy_score(labels[~gone], answers[~gone]))
    assert figures.acc_ut == pytest.approx(100 * accuracy_score(labels[gone], answers[gone]))
    chances = logits.double().softmax(dim=1)[~gone]
    assert figures.loss_rt == pytest.approx(log_loss(labels[~gone], chances, labels=range(5)))


def test_undefined_is_none():
    figures = accuracy(LOGITS[:2], LABELS[:2], [])
    assert figures.acc_ut is None
    assert figures.acc_per_class == (100.0, 100.0, None)
    everything = accuracy(LOGITS, LABELS, [0, 1, 2])
    assert everything.acc_rt is None
    assert everything.loss_rt is None
    assert mask_accuracy(LOGITS, LABELS, [0, 1, 2]) is None
    nothing = accuracy(LOGITS[:0], LABELS[:0], [0])
    assert (nothing.acc_rt, nothing.acc_ut, nothing.loss_rt) == (None, None, None)


def test_mask_takes_the_best_of_what_remains():
    assert mask_accuracy(LOGITS, LABELS, [0]) == pytest.approx(100.0)  # both 1s are found once 0 is out of the way
    assert mask_accuracy(LOGITS, LABELS, [1]) == pytest.approx(50.0)


def test_mask_equals_the_masked_model(trained, masked):
    test = trained.dataset.test
    figures = accuracy(logits_of(masked, test.images), test.labels, [3])
    logits = logits_of(trained.original, test.images)
    assert mask_accuracy(logits, test.labels, [3]) == figures.acc_rt
    assert figures.acc_ut == 0.0
    assert math.isfinite(figures.loss_rt)


def test_arguments_are_not_changed():
    before = LOGITS.clone()
    mask_accuracy(LOGITS, LABELS, [0])
    assert torch.equal(LOGITS, before)


@pytest.mark.parametrize("compute", [accuracy, mask_accuracy])
def test_classes_out_of_range_are_refused(compute):
    with pytest.raises(ValueError, match="forget classes: expected 0 to 2, got -1, 3"):
        compute(LOGITS, LABELS, [-1, 0, 3])


@pytest.mark.parametrize("compute", [accuracy, mask_accuracy])
def test_shapes_that_do_not_fit_are_refused(compute):
    with pytest.raises(ValueError, match="logits and labels"):
        compute(LOGITS, LABELS[:2], [0])
