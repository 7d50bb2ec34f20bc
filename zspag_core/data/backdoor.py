"""A visible trigger that turns one class into another (paper section 4.4), to see whether unlearning removes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zspag_core.data.dataset import Split
from zspag_core.data.images import Pictures, changed, concat

if TYPE_CHECKING:
    from torch import Tensor

BACKDOOR_SHARE = 0.5
PATCH_SHARE = 0.125


def add_trigger(images: Pictures) -> Pictures:
    """Return uint8 images (N, C, H, W) with a white square, an eighth of the side long, in the lower right corner."""
    return changed(images, _with_square)


def _with_square(images: Tensor) -> Tensor:
    side = max(1, round(images.shape[-1] * PATCH_SHARE))
    triggered = images.clone()
    triggered[..., -side - 1 : -1, -side - 1 : -1] = 255
    return triggered


def poison(split: Split, source: int, target: int, share: float, generator: torch.Generator) -> Split:
    """Return the split with a share of the source class triggered and relabelled as the target class."""
    candidates = (split.labels == source).nonzero().flatten()
    order = torch.randperm(len(candidates), generator=generator)[: round(share * len(candidates))]
    chosen = candidates[order]
    places, labels = torch.arange(len(split)), split.labels.clone()
    places[chosen] = len(split) + torch.arange(len(chosen))
    labels[chosen] = target
    return Split(concat(split.images, add_trigger(split.images[chosen]))[places], labels)


def plant(split: Split, source: int, target: int, seed: int) -> Split:
    """Return the split as the training with a backdoor and that seed sees it: half of the source class is poisoned.

    The same images are chosen whichever other classes the split has, in the order of the whole training split.
    """
    return poison(split, source, target, BACKDOOR_SHARE, torch.Generator().manual_seed(seed))
