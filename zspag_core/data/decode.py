"""Encoded or raw images -> uint8 tensors of one size and number of channels."""

from __future__ import annotations

import io
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zspag_core.data.resizing import Size, resize_picture, resize_pixels, resizing_of
from zspag_core.errors import DataError, some_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from PIL import Image

MAX_PIXELS = 50_000_000
"""The largest image that is decoded: what a header claims beyond it is refused before any memory is taken."""

NAMED = 5
"""So many broken files are named."""

_CHUNK = 4096
_BATCH = 64
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, struct.error, zlib.error)


class BrokenImages(DataError):
    """Files that are no images that can be read.

    Attributes:
        names: what messages call them.
        pixels: they can be read, but have too many pixels.
    """

    def __init__(self, names: Sequence[str], *, pixels: bool = False) -> None:
        """Say which they are and what was expected."""
        self.names, self.pixels = tuple(names), pixels
        most = f"at most {MAX_PIXELS // 10**6} million pixels"
        if len(names) == 1:
            wrong = "is too large to decode" if pixels else "is not an image that can be read"
            super().__init__(f"{names[0]} {wrong}; expected {most if pixels else 'a whole JPEG or PNG file'}.")
        else:
            super().__init__(
                f"{len(names):,} images cannot be read: {some_of(names, NAMED)}; expected whole JPEG "
                f"or PNG files of {most}; take them out of the set."
            )


def fit(images: Tensor, image_size: Size, channels: int) -> Tensor:
    """Return raw images at the size and number of channels asked for.

    Args:
        images: (N, 1 or 3, H, W) uint8.
        image_size: side of the result in pixels, or how it comes about.
        channels: 1 (luma) or 3 (grey is repeated).

    Returns:
        (N, channels, image_size, image_size) uint8.
    """
    chunks = (images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK))
    return torch.cat([_recolour(resize_pixels(chunk, image_size), channels) for chunk in chunks])


def decode(encoded: Iterable[tuple[str, Callable[[], bytes]]], image_size: Size, channels: int) -> Tensor:
    """Decode image files (JPEG, PNG, … whatever Pillow knows) on all cores.

    Args:
        encoded: for each image, what a message calls it and how to read its bytes (done late, one batch at a time).
        image_size: side of the result in pixels, or how it comes about.
        channels: 1 or 3.

    Returns:
        (N, channels, image_size, image_size) uint8, in the order given.

    Raises:
        BrokenImages: images that cannot be read or are larger than `MAX_PIXELS`; the message names them.
    """
    items, side = list(encoded), resizing_of(image_size).image_size
    pixels = np.empty((len(items), channels, side, side), np.uint8)

    def decode_batch(start: int) -> list[BrokenImages]:
        """Decode a few images into their places: handing out each small image alone costs more than decoding it."""
        broken = []
        for place, (where, read) in enumerate(items[start : start + _BATCH], start):
            try:
                pixels[place] = decode_one(where, read, image_size, channels).transpose(2, 0, 1)
            except BrokenImages as error:
                broken.append(error)
        return broken

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        refuse_broken(chain.from_iterable(pool.map(decode_batch, range(0, len(items), _BATCH))))
    return torch.from_numpy(pixels)


def refuse_broken(found: Iterable[BrokenImages]) -> None:
    """Refuse all files together that cannot be read, so that a person hears of every one at once.

    Raises:
        BrokenImages: there are some.
    """
    errors = list(found)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise BrokenImages([name for error in errors for name in error.names])


def decode_one(where: str, read: Callable[[], bytes], image_size: Size, channels: int) -> npt.NDArray[np.uint8]:
    """Return one decoded image as (image_size, image_size, channels) uint8; see :func:`decode`."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(read())) as image:
            _check_pixels(where, image.width * image.height)
            pixels = np.asarray(convert(image, image_size, channels))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BrokenImages([where], pixels=True) from None
    except UNREADABLE:
        raise BrokenImages([where]) from None
    side = resizing_of(image_size).image_size
    return pixels.reshape(side, side, channels)


def convert(image: Image.Image, image_size: Size, channels: int) -> Image.Image:
    """Return the image in 8 bits, in grey or colour, at the size asked for.

    A camera's orientation (EXIF) is left alone, as it is by torchvision's ImageFolder.
    """
    from PIL import Image

    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if "transparency" in image.info:
        image = image.convert("RGBA")
    mode = "RGB" if channels == 3 else "L"
    if image.mode != mode:
        image = image.convert(mode)
    return resize_picture(image, image_size)


def _check_pixels(where: str, pixels: int) -> None:
    """Refuse an image whose header claims too many pixels."""
    if pixels > MAX_PIXELS:
        raise BrokenImages([where], pixels=True)


def _recolour(images: Tensor, channels: int) -> Tensor:
    """Return the images with 1 or 3 channels; colour becomes grey by the luma of ITU-R BT.601, as in Pillow."""
    if images.shape[1] == channels:
        return images.contiguous()
    if channels == 3:
        return images.expand(-1, 3, -1, -1).contiguous()
    weights = torch.tensor([19595, 38470, 7471], dtype=torch.int32)
    luma = (images.int() * weights.view(1, 3, 1, 1)).sum(1, keepdim=True, dtype=torch.int32)
    return ((luma + 0x8000) >> 16).to(torch.uint8)
