from __future__ import annotations

import math

import pytest
import torch

from zspag_core.data import to_pixels
from zspag_core.layers import weight_layers
from zspag_core.methods import guard as module
from zspag_core.methods.guard import Guard
from zspag_core.methods.projected_sgd import ProjectedSGD, Pull
from zspag_core.subspace import empty_subspace


@pytest.fixture(autouse=True)
def in_float32(exact):
    """Compare with figures that are computed here."""


@pytest.fixture
def loop(digits_model):
    return ProjectedSGD(digits_model, empty_subspace(digits_model), 0.01)


@pytest.fixture
def uniform(forget):
    return torch.full((len(forget), 10), 0.1)


def loss_of(model, images, labels):
    with torch.no_grad():
        return float(-(labels * model(to_pixels(images)).log_softmax(1)).sum(1).mean())


def scale_head(loop, factor):
    """Make the logits so many times as large, as exploded weights do."""
    with torch.no_grad():
        loop.model.head.weight.mul_(factor)


@pytest.mark.parametrize(("watched", "batch_size"), [(64, 7), (64, 64), (8, 3)])
def test_the_loss_is_that_of_samples_spread_over_all(
    loop, digits_model, forget, uniform, monkeypatch, watched, batch_size
):
    monkeypatch.setattr(module, "WATCHED_IMAGES", watched)
    every = math.ceil(len(forget) / watched)
    guard = Guard(loop, forget.images, uniform, None, batch_size)
    expected = loss_of(digits_model, forget.images[::every], uniform[::every])
    assert guard.lowest == pytest.approx(expected, rel=1e-5)


def test_the_loss_counts_the_pull_of_features(loop, digits_model, forget, uniform):
    targets = torch.zeros(len(forget), digits_model.head.in_features)
    guard = Guard(loop, forget.images, uniform, Pull(targets, 0.3), 16)
    with torch.no_grad():
        apart = float(digits_model.embed(to_pixels(forget.images)).square().sum(1).mean())
    expected = loss_of(digits_model, forget.images, uniform) + 0.3 * apart
    assert guard.lowest == pytest.approx(expected, rel=1e-5)


def test_a_loss_far_above_the_lowest_is_a_fall(loop, forget, uniform):
    guard = Guard(loop, forget.images, uniform, None, 32)
    assert guard.fall() == "", "nothing has changed"
    began = guard.lowest
    scale_head(loop, 10.0)
    assert guard.fall() == f"the loss rose from {began:.3g} to {guard.last:.3g}"
    assert guard.last > 2 * began
    assert guard.lowest == began, "only what stands is taken for the lowest"


@pytest.mark.parametrize(("rise", "fell"), [(1.9, False), (2.1, True)])
def test_a_fall_is_more_than_twice_the_lowest(loop, forget, uniform, rise, fell):
    guard = Guard(loop, forget.images, uniform, None, 32)
    scale_head(loop, 5.0)
    now = loss_of(loop.model, forget.images, uniform)
    assert now / rise > guard.ignorance
    guard.lowest = now / rise
    assert bool(guard.fall()) is fell


def test_a_loss_that_creeps_up_round_by_round_is_measured_against_the_lowest_of_all(loop, forget, uniform):
    guard = Guard(loop, forget.images, uniform, None, 32)
    began, seen = guard.lowest, []
    for _ in range(12):
        scale_head(loop, 1.25)
        if guard.fall():
            break
        guard.settle()
        seen.append(guard.last)
    assert len(seen) > 1
    assert guard.lowest == began
    assert max(seen) <= 2 * began < guard.last


def test_a_lower_loss_becomes_the_measure(loop, forget, uniform):
    guard = Guard(loop, forget.images, uniform, None, 32)
    scale_head(loop, 0.1)
    assert guard.fall() == ""
    guard.settle()
    assert guard.lowest == guard.last == pytest.approx(loss_of(loop.model, forget.images, uniform), rel=1e-5)


def test_a_loss_no_worse_than_knowing_nothing_is_no_fall(loop, digits_model, forget):
    """Samples that are read rightly, and sure of it, have a loss of nearly 0: ten times that is still nothing."""
    with torch.no_grad():
        sure = torch.nn.functional.one_hot(digits_model(to_pixels(forget.images)).argmax(1), 10).float()
    scale_head(loop, 5.0)
    guard = Guard(loop, forget.images, sure, None, 32)
    scale_head(loop, 0.1)
    assert guard.fall() == ""
    assert 2 * guard.lowest < guard.last < math.log(10)


def test_weights_that_are_no_numbers_are_a_fall(loop, forget, uniform):
    guard = Guard(loop, forget.images, uniform, None, 32)
    scale_head(loop, math.nan)
    assert guard.fall() == "the loss became nan"


@pytest.mark.parametrize(
    ("loss", "length", "said"),
    [
        (3.0, 0.01, ""),
        (3.0, 0.5, ""),
        (3.0, 0.51, "a step became 0.51 times as long as the weights"),
        (3.0, 1e20, "a step became 1e+20 times as long as the weights"),
        (3.0, math.nan, "a step became nan times as long as the weights"),
        (math.inf, 0.01, "the loss became inf"),
        (math.nan, math.nan, "the loss became nan"),
    ],
)
def test_a_bad_step_is_named(loss, length, said):
    assert Guard.stumble(loss, length) == said


def test_looking_changes_nothing(loop, forget, uniform, state_of, assert_untouched):
    before = state_of(loop.model)
    Guard(loop, forget.images, uniform, None, 32).fall()
    assert_untouched(loop.model, before)


def test_the_length_of_a_step_is_relative_to_the_weights_that_move(loop, digits_model, forget, uniform):
    step = loop.step(forget.images, uniform)
    before, after = weight_layers(digits_model), weight_layers(loop.model)
    change = sum(float((after[name].weight - layer.weight).detach().square().sum()) for name, layer in before.items())
    whole = sum(float(layer.weight.detach().square().sum()) for layer in before.values())
    assert step.length == pytest.approx(math.sqrt(change / whole), rel=1e-3)
    assert 0 < step.length < 1
