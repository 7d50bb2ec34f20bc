"""PGD against a second version, written plainly, one sample and one step at a time."""

from __future__ import annotations

import copy

import torch
from torch.nn import functional as F

from zspag_core.attacks import PGD


def one_sample(model, image, target, *, epsilon, steps, step_size, confidence):
    """Return the attacked image (1, C, H, W) and the gradients that it took."""
    current = image.clone()
    for number in range(steps):
        current = current.detach().requires_grad_()
        logits = model(current)
        probability = torch.softmax(logits, 1)[0, target]
        if confidence < 1 and logits.argmax() == target and probability >= confidence:
            return current.detach(), number
        loss = F.cross_entropy(logits, torch.tensor([target]))
        (gradient,) = torch.autograd.grad(loss, current)
        moved = current.detach() - step_size * epsilon * torch.sign(gradient)
        moved = torch.minimum(torch.maximum(moved, image - epsilon), image + epsilon)
        current = torch.minimum(torch.maximum(moved, torch.zeros_like(moved)), torch.ones_like(moved))
    return current.detach(), steps


def compare(trained, sample, start, **settings):
    model = copy.deepcopy(trained).double()
    images, targets = sample[0].double(), sample[1]
    generator = torch.Generator().manual_seed(0)
    attacked = PGD(**settings).perturb(model, images, targets, generator=generator)
    expected = [
        one_sample(model, image[None], int(target), **settings)
        for image, target in zip(start(images), targets, strict=True)
    ]
    torch.testing.assert_close(attacked.images, torch.cat([image for image, _ in expected]), atol=1e-9, rtol=0)
    return attacked, expected


def test_full_steps_agree(trained, sample):
    attacked, _ = compare(trained, sample, lambda x: x, epsilon=0.15, steps=6, step_size=0.4, confidence=1.0)
    assert attacked.passes == 6 * len(sample[0])


def test_leaving_agrees(trained, sample):
    attacked, expected = compare(trained, sample, lambda x: x, epsilon=0.2, steps=8, step_size=0.2, confidence=0.8)
    counts = {number for _, number in expected}
    assert len(counts) > 3
    assert attacked.passes >= sum(number for _, number in expected)


def test_random_start_is_uniform_in_the_ball(trained, digits):
    images = torch.full((500, 1, 8, 8), 0.5)
    start = PGD(epsilon=0.1, random_start=True).begin(images, torch.Generator().manual_seed(0))["image"]
    delta = start - images
    assert -0.1 <= delta.min() < -0.0999
    assert 0.0999 < delta.max() <= 0.1 + 1e-6
    assert abs(float(delta.std()) - 0.1 / 3**0.5) < 1e-3


def test_random_start_stays_in_range(digits):
    start = PGD(epsilon=0.3, random_start=True).begin(digits[0][:50], torch.Generator().manual_seed(0))["image"]
    assert start.min() >= 0
    assert start.max() <= 1
