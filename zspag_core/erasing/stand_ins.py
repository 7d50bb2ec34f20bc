"""Images that stand in for the remaining data: forget images, moved until a network's statistics are that data's."""

from __future__ import annotations

import copy
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from zspag_core.data.dataset import to_pixels
from zspag_core.devices import device_of, mixed_precision
from zspag_core.erasing.recall import norms_of
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from zspag_core.models import Classifier

STEPS, RATE, GUIDANCE = 16, 0.03, 2.0
AT_ONCE = 150  # statistics are those of so many images together
MOMENTUM = 0.9


@dataclass(frozen=True)
class StandIns:
    """Images and the classes that they stand in for.

    Attributes:
        images: (N, C, H, W) uint8.
        labels: (N,) int64, remaining classes, equally many each up to one.
    """

    images: Tensor
    labels: Tensor

    def weights(self) -> Tensor:
        """Return a weight an image, (N,) float32, with which all classes count the same and all weigh 1 together."""
        weights = (1.0 / torch.bincount(self.labels).clamp_min(1))[self.labels]
        return weights / weights.sum()


def synthesise(
    model: Classifier,
    images: Tensor,
    statistics: Sequence[tuple[Tensor, Tensor]],
    remaining: Sequence[int],
    *,
    steps: int = STEPS,
    generator: torch.Generator,
    report: Reporter = SILENT,
) -> StandIns:
    """Move every forget image towards a remaining class, with what enters every BatchNorm as the statistics say.

    By normalised gradient steps with momentum; nothing bounds how far an image may go.

    Args:
        model: the original classifier, in eval mode.
        images: (N, C, H, W) uint8 forget images.
        statistics: of :func:`zspag_core.erasing.recall.rest_statistics`.
        remaining: the remaining classes.
        steps: so many.
        generator: draws which image stands in for which class.
        report: receives progress after every batch, as stage "proxies".

    Source: the guidance by BatchNorm is Yin et al., Dreaming to distill (DeepInversion), 2020; that it starts at forget
    images and aims at the statistics without their share is ours.
    """
    classes = torch.tensor(list(remaining))
    order = torch.cat(
        [torch.randperm(len(classes), generator=generator) for _ in range(-(-len(images) // len(classes)))]
    )
    labels = classes[order[: len(images)]]
    network, made = copy.deepcopy(model).eval().requires_grad_(False), list[Tensor]()  # noqa: FBT003 - torch's signature
    norms, device = norms_of(network), device_of(model)
    for batch, aims in zip(images.split(AT_ONCE), labels.split(AT_ONCE), strict=True):
        found = _moved(network, norms, to_pixels(batch, device), aims.to(device), statistics, steps)
        made.append((255 * found).round().to("cpu", torch.uint8))
        report.progress("proxies", sum(map(len, made)), len(images))
    return StandIns(torch.cat(made), labels)


def _moved(
    model: Classifier,
    norms: Sequence[nn.BatchNorm2d],
    pixels: Tensor,
    aims: Tensor,
    statistics: Sequence[tuple[Tensor, Tensor]],
    steps: int,
) -> Tensor:
    """Return moved pixels in [0, 1]."""
    seen, push = list[Tensor](), torch.zeros_like(pixels)
    with ExitStack() as hooks:
        for norm in norms:
            hooks.enter_context(norm.register_forward_pre_hook(lambda _norm, inputs: seen.append(inputs[0])))
        for step in range(steps):
            seen.clear()
            pixels = pixels.requires_grad_()
            with mixed_precision(pixels.device):
                logits = model(pixels)
            loss = F.cross_entropy(logits.float(), aims) + GUIDANCE * _misfit(seen, statistics)
            (slope,) = torch.autograd.grad(loss, pixels)
            root = slope.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
            push = MOMENTUM * push + slope / root
            pixels = (pixels.detach() - RATE * (1 - step / steps) * push).clamp(0, 1)
    return pixels


def _misfit(seen: Sequence[Tensor], statistics: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Return how far a batch's means and deviations lie from the statistics, in deviations, summed over layers."""
    parts = []
    for found, (mean, variance) in zip(seen, statistics, strict=True):
        deviation = (variance.to(found.device) + 1e-5).sqrt()
        apart = (found.float().mean((0, 2, 3)) - mean.to(found.device)) / deviation
        wider = found.float().var((0, 2, 3)).sqrt() / deviation - 1
        parts.append(apart.square().mean() + wider.square().mean())
    return torch.stack(parts).sum()
