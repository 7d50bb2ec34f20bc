"""Random crops and mirror images of a whole batch in one gather."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def crop_and_flip(
    images: Tensor, *, padding: int, flip: bool, generator: torch.Generator, beyond: str = "constant"
) -> Tensor:
    """Shift every image by up to `padding` pixels and mirror half of them.

    Args:
        images: (N, C, H, W) of any dtype, on the CPU or on a device.
        padding: largest shift in pixels, 0 for none.
        flip: whether half of the images, drawn at random, are mirrored left to right.
        generator: a CPU generator.
        beyond: what is beyond the edge: "constant" (black) or, for float images, "reflect".

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
    return F.pad(images, [padding] * 4, mode=beyond)[tuple(part.to(images.device) for part in index)]


def cut_out(images: Tensor, *, side: int, generator: torch.Generator) -> Tensor:
    """Blacken one square per image, its centre anywhere, so that no single detail decides (DeVries and Taylor, 2017).

    Args:
        images: (N, C, H, W) of any dtype.
        side: side of the square in pixels, cut off at the edge; 0 changes nothing.
        generator: a CPU generator.
    """
    if side == 0:
        return images
    count, _, height, width = images.shape
    top = torch.randint(height, (count, 1), generator=generator) - side // 2
    left = torch.randint(width, (count, 1), generator=generator) - side // 2
    rows, columns = torch.arange(height), torch.arange(width)
    hit = ((rows >= top) & (rows < top + side))[:, None, :, None] & ((columns >= left) & (columns < left + side))[
        :, None, None, :
    ]
    return images.masked_fill(hit.to(images.device), 0)
