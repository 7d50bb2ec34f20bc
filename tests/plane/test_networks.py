from __future__ import annotations

import pytest
import torch

from zspag_core.errors import UsageError
from zspag_core.plane.networks import network_of
from zspag_core.training.loop import accuracy

CPU = torch.device("cpu")


def test_a_network_reads_the_points_that_it_has_not_seen(network, points):
    assert accuracy(network, points.test, CPU) > 95


@pytest.mark.slow
def test_an_added_point_changes_the_network_and_is_learnt():
    own = tuple((x, y, 0) for x in (2, 5, 8) for y in (2, 5, 8))
    before, after = network_of("rings", 4, (), 0), network_of("rings", 4, own, 0)
    corner = torch.tensor([5.0, 5.0]).view(1, 1, 1, 2) / 255
    assert int(before(corner).argmax()) == 3
    assert int(after(corner).argmax()) == 0
    assert int(before(corner).argmax()) == 3, "the network that it began with is as it was"


@pytest.mark.slow
def test_a_class_left_out_is_never_read(points):
    without = network_of("rings", 4, (), 0, (1,))
    assert accuracy(without, points.test.of_classes([1]), CPU) == 0
    assert accuracy(without, points.test.without_classes([1]), CPU) > 95


@pytest.mark.parametrize("own", [(), ((1, 2, 0), (3, 4, 0))])
def test_points_of_two_classes_are_needed(own):
    with pytest.raises(UsageError, match="points of at least two classes"):
        network_of("own", 3, own, 0)
