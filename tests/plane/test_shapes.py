from __future__ import annotations

import pytest
import torch

from zspag_core.plane.question import OWN, SHAPES
from zspag_core.plane.shapes import DRAWN, PER_CLASS, as_split, draw_points


def test_every_shape_that_can_be_asked_for_can_be_drawn():
    assert sorted(DRAWN) == sorted(SHAPES)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_has_the_same_points_for_a_seed_and_others_for_grading(shape):
    drawn, again, other = (draw_points(shape, 5, (), seed) for seed in (0, 0, 1))
    assert drawn.class_names == tuple("ABCDE")
    for split in (drawn.train, drawn.test):
        assert tuple(split.images.shape) == (5 * PER_CLASS, 1, 1, 2)
        assert split.images.dtype == torch.uint8
        assert split.labels.bincount().tolist() == [PER_CLASS] * 5
    assert drawn.train.images.equal(again.train.images)
    assert not drawn.train.images.equal(other.train.images)
    assert not drawn.train.images.equal(drawn.test.images)


def test_rings_lie_round_the_middle_one_outside_the_other():
    points = draw_points("rings", 4, (), 0).train
    radius = (points.images.flatten(1).double() / 255 - 0.5).norm(dim=1)
    means = torch.stack([radius[points.labels == k].mean() for k in range(4)])
    assert (means.diff() > 0.08).all()


def test_a_visitors_points_are_learnt_from_and_graded():
    own = ((0, 255, 1), (128, 3, 0))
    points = draw_points("blobs", 2, own, 0)
    for split in (points.train, points.test):
        assert split.images[-2:].flatten(1).tolist() == [[0, 255], [128, 3]]
        assert split.labels[-2:].tolist() == [1, 0]
    alone = draw_points(OWN, 2, own, 0)
    assert len(alone.train) == len(alone.test) == 2
    assert len(draw_points(OWN, 2, (), 0).train) == 0


def test_points_beyond_the_plane_are_put_on_its_edge():
    assert as_split(torch.tensor([[-1.0, 2.0]]), [0]).images.flatten().tolist() == [0, 255]
