"""DeepFool against linear models, where the least perturbation is known."""

from __future__ import annotations

import math

import pytest
import torch

from zspag_core.attacks import DeepFool
from zspag_core.attacks.base import l2_norm


@pytest.mark.parametrize("confidence", [0.0, 0.9, 0.999])
def test_two_linear_classes_take_one_least_step(linear, generator, confidence):
    model, images = linear(2)
    logits = model(images)
    targets = 1 - logits.argmax(1)
    attack = DeepFool(overshoot=0.0, steps=1, confidence=confidence, epsilon_l2=10.0)
    attacked = attack.perturb(model, images, targets, generator=generator)
    margin = (logits[:, 0] - logits[:, 1]).abs() + (math.log(confidence / (1 - confidence)) if confidence else 0)
    least = margin / (model.weight[1] - model.weight[0]).norm()
    torch.testing.assert_close(l2_norm(attacked.images - images), least)
    expected = torch.full_like(attacked.confidence, max(confidence, 0.5))
    torch.testing.assert_close(attacked.confidence, expected)


def test_many_linear_classes_come_near_the_least(linear, least_perturbation, generator):
    model, images = linear(5)
    targets = model(images).argmin(1)
    attack = DeepFool(overshoot=1e-4, steps=60, confidence=0.0, epsilon_l2=10.0)
    attacked = attack.perturb(model, images, targets, generator=generator)
    least = torch.stack(
        [least_perturbation(model, image, int(aim)) for image, aim in zip(images, targets, strict=True)]
    )
    ratio = l2_norm(attacked.images - images) / least
    assert attacked.success.all()
    assert ratio.min() >= 1 - 1e-6
    assert ratio.max() < 1.25  # boundaries are passed one after the other, so the sum is not quite the least


def test_overshoot_goes_that_far_beyond(linear, generator):
    model, images = linear(2)
    targets = 1 - model(images).argmax(1)
    exact, beyond = (
        DeepFool(overshoot=share, steps=1, confidence=0.0, epsilon_l2=10.0).perturb(
            model, images, targets, generator=generator
        )
        for share in (0.0, 0.25)
    )
    torch.testing.assert_close(beyond.images - images, 1.25 * (exact.images - images))
    assert beyond.success.all()


def test_the_least_step_over_the_pixels_that_can_move(linear, generator):
    model, images = linear(2)
    difference = model.weight[1] - model.weight[0]
    free = torch.arange(64) % 2 == 1
    images = torch.where(free.view(1, 1, 8, 8), images, (difference > 0).double().view(1, 1, 8, 8))
    logits = model(images)
    model.bias[0] += 0.5 - (logits[:, 0] - logits[:, 1]).min()
    logits = model(images)
    attack = DeepFool(overshoot=0.0, steps=1, confidence=0.0, epsilon_l2=10.0)
    attacked = attack.perturb(model, images, torch.ones(len(images)).long(), generator=generator)
    least = (logits[:, 0] - logits[:, 1]) / difference[free].norm()
    torch.testing.assert_close(l2_norm(attacked.images - images), least)


def test_a_sample_that_needs_more_than_the_bound_fails(linear, generator):
    model, images = linear(2)
    logits = model(images)
    targets = 1 - logits.argmax(1)
    needed = (logits[:, 0] - logits[:, 1]).abs() / (model.weight[1] - model.weight[0]).norm()
    bound = float(needed.median())
    attacked = DeepFool(overshoot=1e-6, confidence=0.0, epsilon_l2=bound).perturb(
        model, images, targets, generator=generator
    )
    clear = (needed - bound).abs() > 1e-4
    assert torch.equal(attacked.success[clear], (needed < bound)[clear])
    assert l2_norm(attacked.images - images).max() <= bound + 1e-9
