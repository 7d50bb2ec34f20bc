from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from zspag_core.data import to_pixels
from zspag_core.methods.finetune import Finetune, draw_labels, relabelled_loss
from zspag_core.methods.training_loop import Pair, TrainingSamples
from zspag_core.runs.context import RunContext


def test_random_labels_are_never_a_forgotten_class(digits_model, small_digits, generator):
    classes = (3, 4)
    forget = small_digits.train.of_classes(classes)
    found = Finetune(epochs=1).unlearn(
        digits_model, forget, small_digits.train.without_classes(classes), classes, RunContext(generator)
    )
    labels = found.labels.labels
    assert found.labels.mode == "random"
    assert labels.shape == (len(forget), 10)
    assert set(labels.argmax(1).tolist()) == set(range(10)) - set(classes)
    assert torch.equal(labels.sum(1), torch.ones(len(forget)))


def test_the_loss_is_the_cross_entropy_of_new_and_of_true_labels(digits_model, forget, retain, generator):
    samples = TrainingSamples(forget, retain, (3,))
    labels = draw_labels(digits_model, samples, generator)
    pair = Pair(torch.tensor([5, 1]), torch.tensor([7, 80, 2]))
    with torch.no_grad():
        logits = digits_model(to_pixels(samples.images(pair)))
    targets = [int(labels.labels[k].argmax()) for k in (5, 1)] + [int(retain.labels[k]) for k in (7, 80, 2)]
    expected = -sum(float(row.log_softmax(0)[k]) for row, k in zip(logits, targets, strict=True)) / 5
    assert float(relabelled_loss(samples, labels)(logits, pair)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_forget_samples_come_near_their_new_labels_and_the_rest_stays(digits_model, small_digits, generator):
    forget, retain = small_digits.train.of_classes((3,)), small_digits.train.without_classes((3,))
    found = Finetune(epochs=2).unlearn(digits_model, forget, retain, (3,), RunContext(generator))
    kept = small_digits.test.without_classes((3,))
    with torch.no_grad():
        rest = 100 * float((found.model(to_pixels(kept.images)).argmax(1) == kept.labels).float().mean())
        new = F.cross_entropy(found.model(to_pixels(forget.images)), found.labels.labels)
        old = F.cross_entropy(digits_model(to_pixels(forget.images)), found.labels.labels)
    assert rest > 85
    assert new < old / 2
    assert found.history[-1]["forget_accuracy"] < 40
