from __future__ import annotations

import math

import pytest
import torch

from tests.metrics.depth.constructed import FORGOTTEN, Patches, masked, patches_data, rescaled
from zspag_core.data import to_pixels
from zspag_core.metrics.depth.nearby import BUFFER, at_border, over_unlearning

EPSILON = 0.3


@pytest.fixture(scope="module")
def images():
    return patches_data(each=12).test.of_classes([FORGOTTEN])


def stays():
    found = torch.ones(4, dtype=torch.bool)
    found[FORGOTTEN] = False
    return found


def test_images_are_moved_to_the_border_and_no_further_than_allowed(images):
    model, pixels = Patches(), to_pixels(images.images)
    near = at_border(model, pixels, images.labels, stays(), EPSILON)
    logits = model(near).detach()
    assert len(near) == len(pixels)
    assert ((logits[:, FORGOTTEN] - logits[:, stays()].amax(1)).abs() <= BUFFER).all()
    assert float((near - pixels).abs().max()) <= EPSILON + 1e-6
    assert 0 <= float(near.min()) <= float(near.max()) <= 1


def test_what_does_not_come_near_is_left_out(images):
    assert over_unlearning(Patches(), Patches(1), images, [FORGOTTEN], epsilon=1e-4) is None
    assert over_unlearning(Patches(), Patches(1), images[:0], [FORGOTTEN]) is None


@pytest.mark.parametrize("same", [Patches, lambda: masked(Patches()), lambda: rescaled(Patches())])
def test_what_answers_alike_there_has_done_no_damage(same, images):
    assert over_unlearning(Patches(), same(), images, [FORGOTTEN], EPSILON) == pytest.approx(0.0, abs=1e-6)


def test_damage_is_the_divergence_of_the_remaining_answers(images):
    original, other = Patches(), Patches()
    with torch.no_grad():
        other.head.bias[0] += 1.5
    near = at_border(original, to_pixels(images.images), images.labels, stays(), EPSILON)
    total = 0.0
    for one, two in zip(original(near).tolist(), other(near).tolist(), strict=True):
        kept = [k for k in range(4) if k != FORGOTTEN]
        sums = [math.log(sum(math.exp(part[k]) for k in kept)) for part in (one, two)]
        total += sum(math.exp(one[k] - sums[0]) * ((one[k] - sums[0]) - (two[k] - sums[1])) for k in kept)
    found = over_unlearning(original, other, images, [FORGOTTEN], EPSILON)
    assert found == pytest.approx(total / len(near), rel=1e-4)
    assert found > 0.01
