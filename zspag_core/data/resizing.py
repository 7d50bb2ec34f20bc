"""How an image of any size becomes the square that a model takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from PIL import Image

INTERPOLATIONS = ("bilinear", "bicubic", "nearest")


@dataclass(frozen=True)
class Resizing:
    """What a model's owner does to an image before the network sees it.

    Attributes:
        image_size: side of the square in pixels.
        shorter_side: the shorter side is brought to so many pixels, then the square is cut out of the middle; None
            stretches the whole image to the square.
        interpolation: "bilinear", "bicubic" or "nearest".
        antialias: whether an image that shrinks is smoothed, as Pillow always does; nearest never is.

    Raises:
        ValueError: a side below 1 pixel, a shorter side below the square's, an unknown interpolation.
    """

    image_size: int
    shorter_side: int | None = None
    interpolation: str = "bilinear"
    antialias: bool = True

    def __post_init__(self) -> None:
        """Check what cannot be done."""
        if self.image_size < 1:
            raise ValueError(f"image_size: expected at least 1 pixel, got {self.image_size}")
        if self.shorter_side is not None and self.shorter_side < self.image_size:
            raise ValueError(f"shorter_side: expected at least {self.image_size} pixels, got {self.shorter_side}")
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation: expected one of {', '.join(INTERPOLATIONS)}, got {self.interpolation!r}")

    def scaled(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width before the square is cut out."""
        if self.shorter_side is None:
            return self.image_size, self.image_size
        short = min(height, width)
        return self.shorter_side * height // short, self.shorter_side * width // short

    def corner(self, height: int, width: int) -> tuple[int, int]:
        """Return where the square begins in a scaled image: rows and columns."""
        return round((height - self.image_size) / 2), round((width - self.image_size) / 2)


Size = int | Resizing
"""Where only the side is given, images are stretched to the square, antialiased bilinear."""


def resizing_of(size: Size) -> Resizing:
    """Return how to resize where perhaps only the side is given."""
    return size if isinstance(size, Resizing) else Resizing(size)


def resize_pixels(images: Tensor, size: Size) -> Tensor:
    """Return images (N, C, H, W) uint8 as (N, C, side, side)."""
    how = resizing_of(size)
    height, width = how.scaled(*images.shape[-2:])
    if images.shape[-2:] != (height, width):
        smooth = how.antialias and how.interpolation != "nearest"
        images = functional.interpolate(images, size=(height, width), mode=how.interpolation, antialias=smooth)
    top, left = how.corner(height, width)
    return images[..., top : top + how.image_size, left : left + how.image_size]


def resize_picture(picture: Image.Image, size: Size) -> Image.Image:
    """Return a picture in 8 bits, grey or colour, as a square one."""
    from PIL import Image

    how = resizing_of(size)
    height, width = how.scaled(picture.height, picture.width)
    if picture.size != (width, height):
        if not how.antialias and how.interpolation != "nearest":  # Pillow cannot do without
            return _by_pixels(picture, how)
        picture = picture.resize((width, height), Image.Resampling[how.interpolation.upper()])
    top, left = how.corner(height, width)
    box = (left, top, left + how.image_size, top + how.image_size)
    return picture if picture.size == (how.image_size, how.image_size) else picture.crop(box)


def _by_pixels(picture: Image.Image, how: Resizing) -> Image.Image:
    """Return the same by way of an array of pixels."""
    from PIL import Image

    values = np.array(picture)
    pixels = torch.from_numpy(values.reshape(picture.height, picture.width, -1)).permute(2, 0, 1)[None]
    resized = resize_pixels(pixels, how)[0].permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(resized.squeeze(2) if values.ndim == 2 else resized)
