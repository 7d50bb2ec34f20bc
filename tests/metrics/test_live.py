from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

from zspag_core.data import to_pixels
from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.metrics.live import LiveGrades
from zspag_core.progress import Reporter


class Ear(Reporter):
    def __init__(self):
        self.heard = []

    def progress(self, stage, done, total, **figures):
        self.heard.append(("progress", stage, done, total, figures))

    def epoch(self, number, total, model, **figures):
        self.heard.append(("epoch", number, total, model, figures))


@pytest.fixture
def ear():
    return Ear()


def test_progress_is_passed_on(small_digits, ear):
    LiveGrades(small_digits, (3,), 0, ear).progress("proxies", 2, 5, found=4.0)
    assert ear.heard == [("progress", "proxies", 2, 5, {"found": 4.0})]


def test_epochs_are_graded_on_the_sample_by_hand(small_digits, digits_model, ear, state_of, assert_untouched):
    before = state_of(digits_model)
    live = LiveGrades(small_digits, (3, 5), 0, ear)
    live.epoch(1, 4, digits_model, loss=0.5)
    (kind, number, total, model, figures) = ear.heard[0]
    assert (kind, number, total, figures["loss"]) == ("epoch", 1, 4, 0.5)
    assert model is digits_model
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
    assert live.seconds > 0
    assert_untouched(digits_model, before)


def test_the_sample_holds_test_images_of_both_kinds_and_training_images_of_the_forgotten(small_digits, ear):
    live = LiveGrades(small_digits, (3,), 0, ear)
    test = {image.numpy().tobytes() for image in small_digits.test.images}
    train = {image.numpy().tobytes() for image in small_digits.train.of_classes((3,)).images}
    remaining, forgotten, members = live.sizes
    assert forgotten == int((small_digits.test.labels == 3).sum())
    assert remaining == min(750, len(small_digits.test) - forgotten)
    assert all(image.numpy().tobytes() in test for image in live.sample.images[: remaining + forgotten])
    assert all(image.numpy().tobytes() in train for image in live.sample.images[-members:])
    again = LiveGrades(small_digits, (3,), 0, ear)
    assert torch.equal(live.sample.images, again.sample.images)


def test_rows_are_merged_by_epoch_and_what_is_unknown_is_none(small_digits, digits_model, ear):
    live = LiveGrades(small_digits, (3,), 0, ear)
    live.epoch(2, 2, digits_model, loss=0.1)
    first, second = live.merge([{"epoch": 1, "loss": 0.7}, {"epoch": 2, "loss": 0.1}])
    assert first == {"epoch": 1, "loss": 0.7, "acc_rt": None, "acc_ut": None, "mia": None}
    assert second["loss"] == 0.1
    assert second["acc_rt"] == live.rows[0]["acc_rt"] > 90


def test_few_images_have_no_membership_figure_and_none_is_passed_on(small_digits, digits_model, ear):
    few = torch.cat([(small_digits.test.labels == 3).nonzero().flatten()[:4],
                     (small_digits.test.labels != 3).nonzero().flatten()[:20]])  # fmt: skip
    tiny = type(small_digits)("tiny", small_digits.class_names, small_digits.train, small_digits.test[few])
    live = LiveGrades(tiny, (3,), 0, ear)
    live.epoch(1, 1, digits_model)
    assert live.rows[0]["mia"] is None
    assert "mia" not in ear.heard[0][4]


def test_of_a_sample_of_the_images_to_forget_its_size_is_told_beside_the_figure(small_digits, digits_model, ear):
    train = small_digits.train.of_classes((3,))
    alone = [
        type(small_digits)("t", small_digits.class_names, part, train[:0]) for part in (train[:9], repeated(train))
    ]
    for dataset in alone:
        LiveGrades(dataset, (3,), 0, ear).epoch(1, 1, digits_model)
    whole, sampled = (heard[4] for heard in ear.heard)
    assert "forget_sample" not in whole
    assert (sampled["forget_sample"], sampled["forget_images"]) == (250, whole["forget_images"])


def repeated(split):
    """Return more images than a sample holds: the first nine again and again."""
    return split[torch.arange(270) % 9]


def test_cancelling_passes_through(small_digits, digits_model):
    class Stop(Reporter):
        def epoch(self, *_args, **_figures):
            raise Cancelled("stop")

    live = LiveGrades(small_digits, (3,), 0, Stop())
    with pytest.raises(Cancelled):
        live.epoch(1, 1, digits_model)
    assert len(live.rows) == 1


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_outputs_that_are_no_numbers_are_told_in_one_sentence(small_digits, digits_model, ear, broken):
    model = copy.deepcopy(digits_model)
    with torch.no_grad():
        model.head.bias[0] = broken
    with pytest.raises(UnlearningError, match="outputs became NaN or infinite; try a smaller learning_rate"):
        LiveGrades(small_digits, (3,), 0, ear).epoch(1, 4, model)
    assert not ear.heard
