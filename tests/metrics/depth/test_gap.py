from __future__ import annotations

import pytest

from zspag_core.metrics.depth.gap import ShareLeft, mean_left, share_left, worst


@pytest.mark.parametrize(
    ("after", "original", "retrained", "share"),
    [
        (90.0, 90.0, 50.0, 100.0),
        (50.0, 90.0, 50.0, 0.0),
        (70.0, 90.0, 50.0, 50.0),
        (30.0, 90.0, 50.0, -50.0),
        (30.0, 10.0, 50.0, 50.0),
        (70.0, 52.0, 50.0, None),
        (None, 90.0, 50.0, None),
        (70.0, None, 50.0, None),
        (70.0, 90.0, None, None),
    ],
)
def test_share_left_is_the_place_between_retrain_and_original(after, original, retrained, share):
    assert share_left(after, original, retrained) == share


def test_mean_left_is_of_the_means_not_a_mean_of_shares():
    """The first stage has no gap of its own: a mean of shares could not count it."""
    assert mean_left([50.0, 70.0], [50.0, 90.0], [50.0, 50.0]) == pytest.approx(50.0)
    assert mean_left([50.0, None], [50.0, 90.0], [50.0, 50.0]) is None
    assert mean_left([], [], []) is None
    assert mean_left([0.3], [0.9], [0.5], least=0.05) == pytest.approx(-50.0)


def test_worst_is_where_most_is_left():
    found = [
        ShareLeft("probe", "stage 1", 20.0),
        ShareLeft("bits", "stage 3", 95.0),
        ShareLeft("prototypes_5", "", 80.0),
    ]
    assert worst(found) == found[1]
    assert worst([]) is None
