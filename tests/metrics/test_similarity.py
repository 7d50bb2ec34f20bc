from __future__ import annotations

import numpy as np
import pytest
import torch

from zspag_core.metrics.similarity import map_correlations, mean_correlation

MAPS = torch.rand(5, 4, 4, generator=torch.Generator().manual_seed(0))


def test_against_numpy():
    others = MAPS + torch.rand(5, 4, 4, generator=torch.Generator().manual_seed(1))
    expected = [np.corrcoef(a.flatten(), b.flatten())[0, 1] for a, b in zip(MAPS, others, strict=True)]
    assert map_correlations(MAPS, others) == pytest.approx(expected, rel=1e-5)
    assert mean_correlation(MAPS, others) == pytest.approx(np.mean(expected), rel=1e-5)


def test_scale_and_offset_do_not_matter_but_sign_does():
    assert mean_correlation(MAPS, 3 * MAPS + 7) == pytest.approx(1.0)
    assert mean_correlation(MAPS, 1 - MAPS) == pytest.approx(-1.0)


def test_constant_maps_have_no_correlation():
    after = MAPS.clone()
    after[0], after[1] = 0.0, 0.1
    figures = map_correlations(MAPS, after)
    assert figures[:2] == (None, None)
    assert figures[2:] == pytest.approx((1.0, 1.0, 1.0))
    assert mean_correlation(MAPS, after) == pytest.approx(1.0)
    assert mean_correlation(MAPS, torch.zeros(5, 4, 4)) is None
    assert mean_correlation(MAPS[:0], MAPS[:0]) is None


def test_faint_maps_are_compared_too():
    assert mean_correlation(MAPS, MAPS * 1e-12) == pytest.approx(1.0)


@pytest.mark.parametrize("other", [MAPS[:3], MAPS[0], torch.zeros(5, 4, 3)])
def test_stacks_that_differ_in_shape_are_refused(other):
    with pytest.raises(ValueError, match="two stacks of one shape"):
        map_correlations(MAPS, other)
