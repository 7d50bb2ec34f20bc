"""Which value of an image that is not in 8 bits is black and which is white."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

WHITE_OF_BITS = (255, 1023, 4095, 16383, 65535)
"""The largest value of 8, 10, 12, 14 and 16 bits."""
OVERSHOOT = 0.01
"""Resizing leaves values a little outside of [0, 1] or [-1, 1]; they are cut off."""
DIMMEST = 64
"""Fractions below this are not taken for values of 0 to 255."""

_CHUNK = 64


@dataclass(frozen=True)
class Levels:
    """The values of black and of white.

    Attributes:
        black: becomes 0.
        white: becomes 255.
    """

    black: float
    white: float

    def apply(self, values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Return values of any shape as bytes, a few rows at a time: a whole copy in floats may not fit the memory."""
        pixels = np.empty(values.shape, np.uint8)
        if self.white == self.black:
            pixels[...] = 0
            return pixels
        for start in range(0, len(values), _CHUNK):
            part = slice(start, start + _CHUNK)
            scaled = (values[part].astype(np.float64) - self.black) * (255 / (self.white - self.black))
            pixels[part] = np.rint(np.clip(scaled, 0, 255))
        return pixels

    def __str__(self) -> str:
        """Say both values."""
        return f"{self.black:g} is black and {self.white:g} is white"


def levels_of_whole(low: float, high: float) -> Levels:
    """Return the levels of whole numbers: those of the fewest bits that hold them, else their own range."""
    if low < 0 or high > WHITE_OF_BITS[-1]:
        return Levels(low, high)
    if high <= 1:
        return Levels(0, 1)
    return Levels(0, next(white for white in WHITE_OF_BITS if high <= white))


def levels_of_fractions(low: float, high: float) -> Levels | None:
    """Return the levels of fractions that lie in one of the usual ranges, 0 to 1, -1 to 1 or 0 to 255, else None."""
    if low >= -OVERSHOOT and high <= 1 + OVERSHOOT:
        return Levels(0, 1)
    if low >= -1 - OVERSHOOT and high <= 1 + OVERSHOOT and (low < -0.5 or high > 0.5):
        return Levels(-1, 1)
    return Levels(0, 255) if low >= 0 and DIMMEST <= high <= WHITE_OF_BITS[0] else None
