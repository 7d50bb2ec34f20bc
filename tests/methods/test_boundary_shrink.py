from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from zspag_core.data import to_pixels
from zspag_core.data.backdoor import plant
from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.methods.boundary_shrink import BoundaryShrink
from zspag_core.progress import Reporter
from zspag_core.runs.context import RunContext
from zspag_core.runs.stage_cache import FileStageCache


class Ear(Reporter):
    def __init__(self, stop_at=0):
        self.heard, self.stop_at = [], stop_at

    def progress(self, stage, done, total, **figures):
        self.heard.append((stage, done, total))

    def epoch(self, number, total, model, **figures):
        if number == self.stop_at:
            raise Cancelled("stop")


@pytest.fixture
def pair(small_digits):
    return small_digits.train.of_classes((3, 8))[torch.arange(50)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_labels_are_the_best_remaining_class_one_signed_step_away(digits_model, pair):
    images = to_pixels(pair.images).requires_grad_()
    (slope,) = torch.autograd.grad(F.cross_entropy(digits_model(images), pair.labels, reduction="sum"), images)
    with torch.no_grad():
        there = digits_model((images + 0.1 * slope.sign()).clamp(0, 1))
    assert bool(torch.isin(there.argmax(1), torch.tensor([3, 8])).any())  # the case that needs the second best
    there[:, [3, 8]] = -torch.inf
    found = BoundaryShrink(epochs=1).unlearn(digits_model, pair, (3, 8), RunContext(seeded()))
    assert torch.equal(found.labels.labels, F.one_hot(there.argmax(1), 10).float())
    assert found.labels.mode == "neighbour"


def test_no_distance_gives_the_second_best_class_of_the_image_itself(digits_model, pair):
    with torch.no_grad():
        here = digits_model(to_pixels(pair.images))
    here[:, [3, 8]] = -torch.inf
    labels = BoundaryShrink(bound=0.0).relabel(digits_model, pair, (3, 8), Reporter())
    assert torch.equal(labels.argmax(1), here.argmax(1))


def test_many_images_are_looked_at_in_parts(digits_model, pair, monkeypatch):
    whole = BoundaryShrink().relabel(digits_model, pair, (3, 8), Reporter())
    monkeypatch.setattr("zspag_core.methods.boundary_shrink.CHUNK", 16)
    ear = Ear()
    assert torch.equal(BoundaryShrink().relabel(digits_model, pair, (3, 8), ear), whole)
    assert ear.heard[-1] == ("labels", 50, 50)
    assert {stage for stage, _, _ in ear.heard} == {"labels"}


def test_cancelled_and_resumed_is_the_same_as_uninterrupted(digits_model, pair, tmp_path):
    method, cache = BoundaryShrink(epochs=2), FileStageCache(tmp_path, "a")
    whole = method.unlearn(digits_model, pair, (3, 8), RunContext(seeded()))
    cut = method.unlearn(digits_model, pair, (3, 8), RunContext(seeded(), Ear(1), cache=cache))
    assert (cut.stopped, len(cut.history)) == ("cancelled", 1)
    rest = method.unlearn(digits_model, pair, (3, 8), RunContext(seeded(), cache=cache))
    assert (whole.stopped, rest.stopped) == ("epochs", "epochs")
    for name, value in whole.model.state_dict().items():
        assert torch.equal(rest.model.state_dict()[name], value), name


def test_steps_that_are_too_long_end_in_a_sentence(digits_model, pair):
    with pytest.raises(UnlearningError, match=r"the loss became .*; try a learning_rate below 100"):
        BoundaryShrink(learning_rate=100.0, epochs=40).unlearn(digits_model, pair, (3, 8), RunContext(seeded()))


def test_no_neighbour_gives_back_the_label_of_training(digits_model, small_digits):
    forget = plant(small_digits.train.of_classes((1,)), 1, 8, 0)
    labels = BoundaryShrink().relabel(digits_model, forget, (1,), Reporter()).argmax(1)
    assert not bool((labels == forget.labels).any())
    assert 1 not in labels.tolist()
