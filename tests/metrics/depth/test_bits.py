from __future__ import annotations

import math
from statistics import NormalDist

import pytest
import torch

from tests.metrics.depth.constructed import FORGOTTEN, Patches, masked, patches_data, rescaled
from zspag_core.metrics.depth.bits import bits_of, fewest, linear_bits
from zspag_core.metrics.depth.stages import stages_of


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def gaussians(apart, count=4000, width=1, seed=0):
    marks = torch.arange(2).repeat(count).bool()
    features = torch.randn(2 * count, width, generator=seeded(seed), dtype=torch.float64)
    features[:, 0] += apart * marks
    return features, marks


def true_bits(apart):
    """The mutual information of the mark and one of two unit Gaussians, by a sum over a fine grid."""
    one, two = NormalDist(0, 1), NormalDist(apart, 1)
    total, step = 0.0, 0.001
    for place in range(int(-8 / step), int((apart + 8) / step)):
        p, q = one.pdf(place * step), two.pdf(place * step)
        mean = (p + q) / 2
        total += step * sum(part / 2 * math.log2(part / mean) for part in (p, q) if part > 0)
    return total


@pytest.mark.parametrize("apart", [0.0, 1.0, 2.0, 4.0])
def test_bits_of_two_gaussians_are_their_mutual_information(apart):
    train, marks = gaussians(apart)
    test, asked = gaussians(apart, seed=1)
    assert linear_bits(train, marks, test, asked, 0) == pytest.approx(true_bits(apart), abs=0.02)


def test_dimensions_that_say_nothing_cost_little():
    train, marks = gaussians(2.0, count=400, width=200)
    test, asked = gaussians(2.0, count=400, width=200, seed=1)
    assert true_bits(2.0) - 0.2 < linear_bits(train, marks, test, asked, 0) < true_bits(2.0) + 0.05


def test_constant_features_tell_nothing_and_a_switch_tells_all():
    marks = torch.arange(2).repeat(200).bool()
    constant = torch.ones(400, 3, dtype=torch.float64)
    assert linear_bits(constant, marks, constant, marks, 0) == 0.0
    switch = marks[:, None].double()
    assert linear_bits(switch, marks, switch, marks, 0) == pytest.approx(1 - math.log2(1 + 1 / 201), abs=1e-9)


@pytest.fixture(scope="module")
def data():
    return patches_data()


def by_stage(model, data):
    train, test = (stages_of(model, split.images) for split in (data.train, data.test))
    marks = [split.labels == FORGOTTEN for split in (data.train, data.test)]
    return [
        linear_bits(one, marks[0], two, marks[1], 0) for one, two in zip(train.features, test.features, strict=True)
    ]


@pytest.mark.parametrize("blind", [1, 2, 3])
def test_bits_are_gone_from_the_stage_on_that_is_blind_to_the_class(blind, data):
    for stage, bits in enumerate(by_stage(Patches(blind), data), start=1):
        assert bits > 0.9 if stage < blind else bits < 0.05


def test_a_masked_head_and_rescaled_weights_change_nothing(data):
    plain = by_stage(Patches(), data)
    assert by_stage(masked(Patches()), data) == plain
    assert by_stage(rescaled(Patches()), data) == pytest.approx(plain, abs=1e-4)
    assert min(plain) > 0.9


def test_too_few_images_of_a_kind_say_nothing():
    features, marks = gaussians(1.0, count=20)
    assert linear_bits(features, marks, features[:20], torch.zeros(20).bool(), 0) is None
    assert fewest(marks, torch.tensor([True, False, False])) == 1


def test_bits_are_what_a_sure_right_and_a_sure_wrong_answer_cost():
    marks = torch.tensor([True, False])
    assert bits_of(torch.tensor([0.0, 0.0]), marks) == pytest.approx(0.0)
    assert bits_of(torch.tensor([50.0, -50.0]), marks) == pytest.approx(1.0)
    assert bits_of(torch.tensor([-math.log(3), 0.0]), marks) == pytest.approx(1 - (2 + 1) / 2)


def test_what_does_not_fit_is_refused():
    features, marks = gaussians(1.0, count=20)
    with pytest.raises(ValueError, match="shapes"):
        linear_bits(features, marks[:3], features, marks, 0)
