"""What BatchNorm remembers of a network's training images, asked of the images at hand: are they prepared like those?

Every BatchNorm layer keeps the mean and the variance that its inputs had in training. Close to the input they hardly
depend on the class, so images of one class alone, of which accuracy says nothing, can be asked.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn

from zspag_core.data.dataset import to_pixels
from zspag_core.input_checks.alternatives import (
    Alternative,
    WrongReading,
    is_stated,
    other_normalisations,
    prepared_words,
    with_reading,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from zspag_core.checkpoints import Checkpoint
    from zspag_core.input_checks.sample import AskedSample
    from zspag_core.models import Classifier

LAYERS, ASKED = 4, 32
"""BatchNorm layers that are asked, in the order in which they fire, and images."""
STRANGE, FARTHER = 0.4, 2.5
"""A normalisation is doubted that lies farther than this from what BatchNorm remembers, and so many times as far as
another one. Of eight trained networks, class by class, the right one lay at 0.31 at most and at 1.7 times the best of
the others (table in docs/your_model.md)."""


def check_batch_norm(checkpoint: Checkpoint, asked: AskedSample) -> tuple[str, ...]:
    """Compare normalisations by what BatchNorm remembers of the images in training.

    Returns:
        A note where a person stated what looks wrong.

    Raises:
        WrongReading: another usual normalisation is far closer.
    """
    model, images = checkpoint.model, asked.images[:ASKED]
    taken = preparation_gap(model, images)
    if taken is None or taken <= STRANGE:
        return ()
    others = dict(other_normalisations(model))
    gaps = {name: preparation_gap(with_reading(model, **fields), images) or 0.0 for name, fields in others.items()}
    name = min(gaps, key=gaps.__getitem__)
    if taken <= FARTHER * gaps[name]:
        return ()
    better = Alternative(name, others[name], math.nan, len(images))
    figures = (
        f"({prepared_words(checkpoint, better.fields)}) the images enter its first layers {taken:.2f} away from what "
        f"BatchNorm remembers of those in training, with {name} {gaps[name]:.2f}"
    )
    if is_stated(checkpoint, better):
        return (f"prepared as stated {figures}: are mean and std those of the training?",)
    raise WrongReading(f"how its images are prepared looks wrong: as taken {figures}", better)


def preparation_gap(model: Classifier, images: Tensor) -> float | None:
    """Return how far the first layers' inputs lie from what BatchNorm remembers of those in training.

    For every channel: the squared difference of means in remembered standard deviations, and the squared logarithm of
    the ratio of standard deviations; the mean over channels, then over layers.

    Args:
        model: prepares the images itself.
        images: (N, C, H, W) uint8 of any classes, of which the first 32 are asked together.

    Returns:
        0 where they are alike; None for a network without running statistics.
    """
    with _watched(model) as seen, torch.no_grad():
        model(to_pixels(images[:ASKED]).to(next(model.parameters()).device))
    return sum(seen) / len(seen) if seen else None


@contextmanager
def _watched(model: Classifier) -> Iterator[list[float]]:
    """Yield a list of the gaps of the first layers that fire; of their first batch."""
    gaps: list[float] = []
    asked: set[nn.Module] = set()

    def look(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if len(gaps) < LAYERS and layer not in asked:
            asked.add(layer)
            gaps.append(_gap(layer, inputs[0]))  # type: ignore[arg-type]  # hooks stand on such layers alone

    layers = [one for one in model.modules() if isinstance(one, nn.BatchNorm2d) and one.running_mean is not None]
    hooks = [layer.register_forward_pre_hook(look) for layer in layers]
    try:
        yield gaps
    finally:
        for hook in hooks:
            hook.remove()


def _gap(layer: nn.BatchNorm2d, inputs: Tensor) -> float:
    """Return the gap of one layer."""
    kept = dict(layer.named_buffers())
    remembered = kept["running_var"].double() + layer.eps
    seen = inputs.double().flatten(2).transpose(0, 1).flatten(1)  # (channels, values)
    shift = (seen.mean(1) - kept["running_mean"].double()).square() / remembered
    spread = ((seen.var(1) + layer.eps) / remembered).log().square() / 4
    return float((shift + spread).mean())
