"""OU@ε: damage close to the forgotten classes, where their images border on remaining ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zspag_core.batching import images_at_once
from zspag_core.data.dataset import to_pixels
from zspag_core.devices import device_of
from zspag_core.models.base import evaluating

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from zspag_core.data.dataset import Split
    from zspag_core.models.base import Classifier

EPSILON = 8 / 255
STEPS = 20
BUFFER = 1.0  # logits between the forgotten class and the nearest remaining one, up to which an image is at the border


def over_unlearning(
    original: Classifier, unlearned: Classifier, images: Split, forget: Sequence[int], epsilon: float = EPSILON
) -> float | None:
    """Compute OU@ε: how differently two models read images at the border of the forgotten classes.

    Images of the forgotten classes are moved, within ε a pixel, to where the original hesitates between their class and
    the best remaining one (|difference of logits| ≤ 1). There both models' answers over the remaining classes alone are
    compared. Steps, buffer and divergence are ours: the text at hand names them without numbers.

    Args:
        original: before; finds the images.
        unlearned: after, on the same device.
        images: of the forgotten classes.
        forget: these classes.
        epsilon: largest change of a pixel, in [0, 1].

    Returns:
        Mean Kullback-Leibler divergence of the unlearned model's answer from the original's, nats: 0 for no damage.
        None where no image comes to the border.

    Source: OU@ε of Ha et al., Unlearning's blind spots, ICML 2026.
    """
    found: list[Tensor] = []
    device, size = device_of(original), images_at_once(original, images.images)
    stays = torch.ones(original.config.num_classes, dtype=torch.bool, device=device)
    stays[list(forget)] = False
    with evaluating(original), evaluating(unlearned):
        for part in torch.arange(len(images)).split(size):
            few = images[part]
            near = at_border(original, to_pixels(few.images, device), few.labels.to(device), stays, epsilon)
            with torch.no_grad():
                one, two = (model(near)[:, stays].double().log_softmax(1) for model in (original, unlearned))
            found.append((one.exp() * (one - two)).sum(dim=1))
    gaps = torch.cat(found) if found else torch.zeros(0)
    return float(gaps.mean()) if len(gaps) else None


def at_border(model: Classifier, pixels: Tensor, labels: Tensor, stays: Tensor, epsilon: float) -> Tensor:
    """Return those of some images that come to the border of their class, each where it was nearest to it.

    Args:
        model: in evaluation mode.
        pixels: (N, C, H, W) float in [0, 1].
        labels: (N,) int64.
        stays: (classes,) bool, the remaining classes.
        epsilon: largest change of a pixel.
    """
    best, least = pixels, torch.full_like(labels, torch.inf, dtype=pixels.dtype)
    moved = pixels
    for step in range(STEPS + 1):
        leaf = moved.detach().clone().requires_grad_()
        with torch.enable_grad():
            logits = model(leaf)
            margin = logits.gather(1, labels[:, None]).squeeze(1) - logits[:, stays].amax(dim=1)
            (slope,) = torch.autograd.grad(margin.abs().sum(), leaf)
        nearer = margin.detach().abs() < least
        least = torch.where(nearer, margin.detach().abs(), least)
        best = torch.where(nearer[:, None, None, None], leaf.detach(), best)
        if step < STEPS:
            moved = (leaf.detach() - 2 * epsilon / STEPS * slope.sign()).clamp(pixels - epsilon, pixels + epsilon)
            moved = moved.clamp(0, 1)
    return best[least <= BUFFER]
