from __future__ import annotations

import numpy as np
import pytest
import torch

from zspag_core.metrics.depth.rates import found_at, true_positive_rates
from zspag_core.metrics.predictions import LabelledLogits


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def labelled(count, seed=0):
    """Return outputs for three classes, the labels being the first."""
    return LabelledLogits(torch.randn(count, 3, generator=seeded(seed)), torch.zeros(count, dtype=torch.int64))


@pytest.mark.parametrize(("rate", "found"), [(10.0, 50.0), (20.0, 75.0), (100.0, 100.0), (5.0, None)])
def test_rates_by_hand(rate, found):
    """Ten strangers 0 to 9; members 9, 8.5, 7.5 and 1: above all but the largest one lie two."""
    strangers, members = np.arange(10.0), np.array([9.0, 8.5, 7.5, 1.0])
    assert found_at(members, strangers, rate) == found


def test_a_draw_with_the_threshold_does_not_count():
    assert found_at(np.array([1.0, 1.0]), np.array([0.0, 1.0]), 50.0) == 100.0
    assert found_at(np.array([0.0, 0.0]), np.array([0.0, 0.0]), 50.0) == 0.0


def test_a_few_members_that_stand_out_are_seen_where_an_average_hides_them():
    members, strangers = labelled(1000), labelled(1000, seed=1)
    plain = true_positive_rates(members, strangers)
    assert plain["1"] < 5
    out = members.logits.clone()
    out[:100, 1:] -= 30  # the loss of these is next to nothing
    found = true_positive_rates(LabelledLogits(out, members.labels), strangers)
    assert found["1"] == pytest.approx(10, abs=3)
    assert found["0.1"] == pytest.approx(10, abs=3)
    worse = members.logits.clone()
    worse[:100, 0] -= 30  # members may be read worse than strangers, too
    assert true_positive_rates(LabelledLogits(worse, members.labels), strangers)["0.1"] == pytest.approx(10, abs=3)


def test_too_few_images_have_no_such_rate():
    assert true_positive_rates(labelled(50), labelled(50)) == {"0.1": None, "1": None}
    assert true_positive_rates(labelled(5), labelled(500)) == {"0.1": None, "1": None}
    assert true_positive_rates(labelled(200), labelled(200, seed=1))["0.1"] is None
