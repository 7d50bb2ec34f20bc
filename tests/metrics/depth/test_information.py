from __future__ import annotations

import math

import pytest
import torch

from tests.metrics.depth.constructed import FORGOTTEN, Patches, patches_data, rescaled
from zspag_core.errors import Cancelled
from zspag_core.metrics.depth.bits import linear_bits
from zspag_core.metrics.depth.information import idi, infonce, information
from zspag_core.metrics.depth.stages import stages_of
from zspag_core.progress import Reporter


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def ring(count=1500, seed=0):
    """Two kinds told apart by their distance from the middle alone: nothing linear finds them."""
    angle = 2 * math.pi * torch.rand(2 * count, generator=seeded(seed), dtype=torch.float64)
    marks = torch.arange(2).repeat(count).bool()
    return torch.stack([angle.cos(), angle.sin()], dim=1) * torch.where(marks, 2.0, 1.0)[:, None], marks


def test_infonce_is_its_definition_written_out():
    scores = torch.randn(7, 2, generator=seeded(), dtype=torch.float64)
    labels = torch.tensor([0, 1, 1, 0, 0, 1, 0])
    total = 0.0
    for i in range(7):
        others = [math.exp(scores[i, labels[j]]) for j in range(7)]
        total += math.log2(math.exp(scores[i, labels[i]]) / (sum(others) / 7))
    assert float(infonce(scores, labels)) == pytest.approx(total / 7)


@pytest.mark.slow
def test_information_is_found_where_nothing_linear_finds_it():
    (train, marks), (test, asked) = ring(), ring(seed=1)
    assert information(train, marks, test, asked, 0) > 0.95
    assert linear_bits(train, marks, test, asked, 0) < 0.05


@pytest.mark.slow
def test_noise_holds_none():
    train, test = (torch.randn(600, 8, generator=seeded(seed), dtype=torch.float64) for seed in (0, 1))
    marks = torch.arange(600) % 2 == 0
    assert information(train, marks, test, marks, 0) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("blind", [1, 3])
def test_information_ends_where_a_network_is_blind(blind):
    data = patches_data(each=80)
    train, test = (stages_of(Patches(blind), split.images).features for split in (data.train, data.test))
    marks = [split.labels == FORGOTTEN for split in (data.train, data.test)]
    for stage in (1, 3):
        bits = information(train[stage - 1], marks[0], test[stage - 1], marks[1], 0)
        assert bits > 0.9 if stage < blind else bits < 0.1


@pytest.mark.slow
def test_rescaled_weights_change_nothing():
    data = patches_data(each=40)
    found = []
    for model in (Patches(), rescaled(Patches())):
        train, test = (stages_of(model, split.images).features[0] for split in (data.train, data.test))
        found.append(information(train, data.train.labels == FORGOTTEN, test, data.test.labels == FORGOTTEN, 0))
    assert found[0] == pytest.approx(found[1], abs=0.01)


@pytest.mark.slow
def test_it_neither_draws_from_the_global_generator_nor_depends_on_it():
    (train, marks), (test, asked) = ring(50), ring(50, seed=1)
    state = torch.random.get_rng_state()
    first = information(train, marks, test, asked, 0)
    assert torch.equal(torch.random.get_rng_state(), state)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        assert information(train, marks, test, asked, 0) == first


def test_few_images_say_nothing_and_a_reporter_may_cancel():
    train, marks = ring(50)

    class Impatient(Reporter):
        def progress(self, stage, done, total, **figures):
            raise Cancelled(stage)

    assert information(train[:9], marks[:9], train, marks, 0) is None
    with pytest.raises(Cancelled, match="information"):
        information(train, marks, train, marks, 0, Impatient())


def test_idi_lies_between_retrain_and_original():
    original, retrained = [0.2, 0.9], [0.2, 0.5]
    assert idi(original, original, retrained) == 1
    assert idi(retrained, original, retrained) == 0
    assert idi([0.2, 0.7], original, retrained) == pytest.approx(0.5)
    assert idi([0.0, 0.3], original, retrained) == pytest.approx(-1.0)
    assert idi(original, original, original) is None
    assert idi([], [], []) is None
