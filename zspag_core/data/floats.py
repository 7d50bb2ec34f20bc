"""Floating-point images -> the bytes that every split holds."""

from __future__ import annotations

import math

import numpy as np

from zspag_core.data.arrays import Array, with_channels
from zspag_core.errors import DataError

_CHUNK = 64


def to_bytes(what: str, images: Array) -> Array:
    """Return floating-point images as uint8: those in [0, 1] times 255 and rounded, whole numbers in [0, 255] as given.

    Args:
        what: what a message calls the images, such as "train_x of mine.npz".
        images: (N, H, W), (N, H, W, 1) or (N, H, W, 3) floats; images of another dtype are returned as they are.

    Raises:
        DataError: a wrong shape, a value that is not finite or out of range, or fractions among values above 1.
    """
    if images.dtype.kind != "f":
        return images
    images = with_channels(what, images)
    low, high = images.min(), images.max()
    if not (math.isfinite(low) and math.isfinite(high)):
        raise _refusal(what, images, "with values that are not finite")
    if low < 0 or high > 255:
        raise _refusal(what, images, f"from {low!s} to {high!s}")
    if high <= 1:
        return _scaled(images)
    pixels = images.astype(np.uint8)
    if not np.array_equal(pixels, images):
        raise _refusal(what, images, f"from {low!s} to {high!s} with fractions")
    return pixels


def _scaled(images: Array) -> Array:
    """Return images in [0, 1] as uint8, converted a few at a time: a whole copy in floats may not fit the memory."""
    pixels = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), _CHUNK):
        part = slice(start, start + _CHUNK)
        pixels[part] = np.rint(images[part] * 255)
    return pixels


def _refusal(what: str, images: Array, found: str) -> DataError:
    """Return the error for floats that are no pixels."""
    return DataError(
        f"{what} is {images.dtype} {found}; expected uint8, or floats that are all in 0 to 1 or all whole in 0 to 255."
    )
