from __future__ import annotations

import pytest
import torch

from tests.metrics.depth.constructed import FORGOTTEN, Patches, masked, patches_data, rescaled
from zspag_core.metrics.depth.probes import ProbeAccuracy
from zspag_core.metrics.depth.prototypes import prototypes
from zspag_core.metrics.depth.stages import stages_of


@pytest.fixture(scope="module")
def data():
    return patches_data(each=40)


def asked(model, data, shots):
    train, test = (stages_of(model, split.images).features[-1] for split in (data.train, data.test))
    return prototypes(train, data.train.labels, test, data.test.labels, [FORGOTTEN], shots, 0)


def test_a_few_images_bring_a_class_back_unless_the_features_are_blind_to_it(data):
    known, blind = (asked(model, data, 20) for model in (Patches(), Patches(3)))
    assert known.forget > 80
    assert known.rest > 95
    assert blind.forget < 60


@pytest.mark.parametrize("change", [masked, rescaled])
def test_neither_a_masked_head_nor_rescaled_weights_change_it(change, data):
    assert asked(change(Patches()), data, 5) == pytest.approx(asked(Patches(), data, 5))


def test_all_shots_of_one_draw_are_the_nearest_mean_written_out():
    generator = torch.Generator().manual_seed(0)
    features, labels = torch.randn(30, 2, generator=generator).double(), torch.arange(30) % 3
    features += labels[:, None]
    found = prototypes(features, labels, features, labels, [1], 99, 0)
    scaled = (features - features.mean(0)) / features.std(0, correction=0)
    means = [scaled[labels == k].mean(0) for k in range(3)]
    right = [
        min(range(3), key=lambda k, image=image: float(((image - means[k]) ** 2).sum())) == label
        for image, label in zip(scaled, labels.tolist(), strict=True)
    ]
    share = {
        kind: [r for r, k in zip(right, labels.tolist(), strict=True) if (k == 1) == kind] for kind in (True, False)
    }
    assert found.forget == pytest.approx(100 * sum(share[True]) / len(share[True]))
    assert found.rest == pytest.approx(100 * sum(share[False]) / len(share[False]))


def test_equally_near_means_share_the_hit():
    features, labels = torch.ones(8, 2, dtype=torch.float64), torch.arange(8) % 4
    assert prototypes(features, labels, features, labels, [1], 1, 0) == ProbeAccuracy(25.0, 25.0)


def test_nothing_is_said_without_images_of_the_class():
    features, labels = torch.ones(8, 2, dtype=torch.float64), torch.arange(8) % 4
    assert prototypes(features, labels, features, labels, [7], 1, 0) == ProbeAccuracy(None, None)
    assert prototypes(features, labels, features[:0], labels[:0], [1], 1, 0) == ProbeAccuracy(None, None)


def test_what_does_not_fit_is_refused():
    features, labels = torch.ones(8, 2, dtype=torch.float64), torch.arange(8) % 4
    with pytest.raises(ValueError, match="shots: expected 1 or more, got 0"):
        prototypes(features, labels, features, labels, [1], 0, 0)
    with pytest.raises(ValueError, match="shapes"):
        prototypes(features, labels[:2], features, labels, [1], 1, 0)
