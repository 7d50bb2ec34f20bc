from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tests.metrics.depth.constructed import FORGOTTEN, Patches, masked, patches_data, rescaled
from zspag_core.metrics.deep import probe
from zspag_core.metrics.depth.probes import ProbeAccuracy, linear_probe, neighbours, shares
from zspag_core.metrics.depth.stages import stages_of

LABELS = torch.arange(10).repeat(20)
ONE_HOT = F.one_hot(LABELS, 10).double()
BOTH = pytest.mark.parametrize("measure", [linear_probe, neighbours])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def data():
    return patches_data(each=60)


def by_stage(measure, model, data):
    train, test = (stages_of(model, split.images) for split in (data.train, data.test))
    return [
        measure(one, data.train.labels, two, data.test.labels, [FORGOTTEN])
        for one, two in zip(train.features, test.features, strict=True)
    ]


@BOTH
def test_every_class_is_found_in_one_hot_features(measure):
    assert measure(ONE_HOT, LABELS, ONE_HOT, LABELS, [3]) == ProbeAccuracy(100.0, 100.0)


@BOTH
def test_constant_features_are_chance(measure):
    features = torch.ones(200, 3, dtype=torch.float64)
    found = measure(features, LABELS, features, LABELS, [3, 4])
    if measure is linear_probe:
        assert found == pytest.approx((10.0, 10.0))
    else:  # any ten images are the nearest: the answer is the same for all
        assert 0.2 * found.forget + 0.8 * found.rest == pytest.approx(10.0)


@BOTH
@pytest.mark.parametrize("blind", [1, 2, 3])
def test_a_class_is_gone_from_the_stage_on_that_is_blind_to_it(measure, blind, data):
    for stage, found in enumerate(by_stage(measure, Patches(blind), data), start=1):
        assert found.rest > 90
        assert found.forget == 100 if stage < blind else found.forget < 15


@BOTH
def test_a_masked_head_hides_nothing(measure, data):
    assert by_stage(measure, masked(Patches()), data) == by_stage(measure, Patches(), data)


@BOTH
def test_rescaled_weights_change_nothing(measure, data):
    assert by_stage(measure, rescaled(Patches()), data) == by_stage(measure, Patches(), data)


def test_neighbours_are_those_of_a_plain_count():
    generator = seeded()
    train, test = torch.randn(60, 3, generator=generator).double(), torch.randn(25, 3, generator=generator).double()
    labels, asked = torch.arange(60) % 3, torch.arange(25) % 3
    found = neighbours(train, labels, test, asked, [1])
    mean, deviation = train.mean(0), ((train - train.mean(0)) ** 2).mean(0).sqrt()
    hits = {True: [], False: []}
    for image, label in zip(test.tolist(), asked.tolist(), strict=True):
        distances = []
        for other, name in zip(train.tolist(), labels.tolist(), strict=True):
            parts = [(a - b) / float(d) for a, b, d in zip(image, other, deviation, strict=True)]
            distances.append((sum(part**2 for part in parts), name))
        votes = [name for _, name in sorted(distances)[:10]]
        most = max(votes.count(k) for k in range(3))
        best = [k for k in range(3) if votes.count(k) == most]
        hits[label == 1].append(1 / len(best) if label in best else 0.0)
    assert len(mean) == 3
    assert found.forget == pytest.approx(100 * sum(hits[True]) / len(hits[True]))
    assert found.rest == pytest.approx(100 * sum(hits[False]) / len(hits[False]))


def test_neighbours_share_a_draw():
    train = torch.tensor([[0.0], [0.0], [1.0], [1.0]], dtype=torch.float64)
    labels = torch.tensor([0, 1, 0, 1])
    assert neighbours(train, labels, train, labels, [0]) == ProbeAccuracy(50.0, 50.0)


def test_the_probe_is_the_one_of_the_grading():
    generator = seeded()
    features = torch.randn(400, 5, generator=generator).double()
    labels = (features[:, :3] + torch.randn(400, 3, generator=generator)).argmax(1)
    train, test = features[:300], features[300:]
    expected = probe(train, labels[:300], test, labels[300:], [1], 0)
    found = linear_probe(train, labels[:300], test, labels[300:], [1])
    one_image = 100 / int((labels[300:] == 1).sum())  # which may be on the edge: the order of learning differs
    assert found.forget == pytest.approx(expected, abs=one_image + 1e-9)


@BOTH
def test_nothing_is_said_without_classes_or_images(measure):
    assert measure(ONE_HOT[:1], LABELS[:1], ONE_HOT, LABELS, [3]) == ProbeAccuracy(None, None)
    assert measure(ONE_HOT, LABELS, ONE_HOT[:0], LABELS[:0], [3]) == ProbeAccuracy(None, None)
    assert measure(ONE_HOT, LABELS, ONE_HOT[:3], LABELS[:3], [0, 1, 2]).rest is None


@BOTH
def test_what_does_not_fit_is_refused(measure):
    with pytest.raises(ValueError, match="shapes"):
        measure(ONE_HOT, LABELS[:3], ONE_HOT, LABELS, [0])
    with pytest.raises(ValueError, match="finite"):
        measure(ONE_HOT, LABELS, ONE_HOT * torch.nan, LABELS, [0])


def test_shares_are_of_each_kind():
    assert shares(torch.tensor([1.0, 0.0, 0.5]), torch.tensor([0, 1, 1]), [1]) == ProbeAccuracy(25.0, 100.0)
