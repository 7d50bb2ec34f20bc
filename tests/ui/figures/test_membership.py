from __future__ import annotations

import numpy as np
import pytest

from ui.figures.membership import place_of, scores, written

EDGES = [0.0, 0.5, 1.0]
GROUPS = {"forget_train": np.array([0.1, 0.2, 0.3, 0.9]), "forget_test": np.array([0.6, 0.7])}


def test_bars_are_shares_of_each_group():
    drawn = scores(GROUPS, EDGES, "confidence", "after")
    seen, new = drawn.figure.data
    assert (list(seen.y), list(new.y)) == ([75.0, 25.0], [0.0, 100.0])
    assert seen.name == "forgotten, trained on (4)"
    assert seen.marker.pattern.shape is None
    assert new.marker.pattern.shape == "/", "never seen is hatched, so that colour is not all that tells them apart"
    assert drawn.rows[0] == {
        "from": 0.0, "to": 0.5, "forget_train_percent": 75.0, "forget_test_percent": 0.0,
        "forget_train_images": 4, "forget_test_images": 2,
    }  # fmt: skip


@pytest.mark.parametrize(("measure", "side"), [("confidence", (1.0, 2)), ("loss", (0, 1.0))])
def test_threshold_shades_the_side_of_the_members(measure, side):
    shapes = scores(GROUPS, EDGES, measure, "after", threshold=0.5).figure.layout.shapes
    assert (shapes[0].x0, shapes[0].x1) == side
    assert (shapes[1].x0, shapes[1].x1) == (1.0, 1.0)


def test_axis_can_be_shared():
    assert scores(GROUPS, EDGES, "loss", "after", top=200.0).figure.layout.yaxis.range[1] == pytest.approx(240.0)


@pytest.mark.parametrize(("value", "place"), [(0.0, 0.0), (0.25, 0.5), (0.5, 1.0), (1.0, 2.0), (7.0, 2.0)])
def test_place_counts_bars(value, place):
    assert place_of(value, EDGES) == place


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.5, "0.5"), (0.001, "0.001"), (2e-05, "2·10<sup>-5</sup>"), (1234.0, "1.2·10<sup>3</sup>")],
)
def test_edges_are_written_short(value, text):
    assert written(value) == text
