"""The handwritten digits that come with scikit-learn: the default data set, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zspag_core.data.arrays import ArrayPart, found_arrays
from zspag_core.data.parts import finish
from zspag_core.data.reading import PLAIN, ClassReading

if TYPE_CHECKING:
    from zspag_core.data.dataset import DataSet
    from zspag_core.data.resizing import Size


def load_digits(image_size: Size, channels: int, reading: ClassReading = PLAIN) -> DataSet:
    """Return the 1,797 digits of 8x8 pixels, upsampled, with a fixed stratified 80/20 split.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
    """
    from sklearn import datasets

    bunch = datasets.load_digits()
    grey = np.rint(bunch.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8), from 0..16
    part = ArrayPart(grey, bunch.target, "the digits", "the labels of the digits")
    names = [str(name) for name in bunch.target_names]
    return finish(found_arrays("digits", [part], names), image_size, channels, reading)
