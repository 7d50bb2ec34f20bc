"""Random crops and mirror images of a whole batch in one gather."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def crop_and_flip(images: Tensor, *, padding: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Shift every image by up to `padding` pixels (black beyond the edge) and mirror half of them.

    Args:
        images: (N, C, H, W) of any dtype, on the CPU or on a device.
        padding: largest shift in pixels, 0 for none.
        flip: whether half of the images, drawn at random, are mirrored left to right.
        generator: a CPU generator.

    Returns:
        (N, C, H, W), the same dtype and device.
    """
    count, channels, height, width = images.shape
    shifts = torch.randint(0, 2 * padding + 1, (2, count, 1), generator=generator)
    mirrored = (torch.rand(count, 1, generator=generator) < 0.5) & flip
    columns = torch.arange(width).expand(count, width)
    columns = torch.where(mirrored, columns.flip(1), columns) + shifts[1]
    rows = torch.arange(height) + shifts[0]
    index = [
        torch.arange(count).view(-1, 1, 1, 1),
        torch.arange(channels).view(1, -1, 1, 1),
        rows.view(count, 1, height, 1),
        columns.view(count, 1, 1, width),
    ]
    return F.pad(images, [padding] * 4)[tuple(part.to(images.device) for part in index)]
