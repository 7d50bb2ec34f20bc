"""Street View House Numbers, cropped digits: `train_32x32.mat` and `test_32x32.mat`."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from zspag_core.data.arrays import ArrayPart, found_arrays
from zspag_core.data.parts import finish
from zspag_core.data.reading import PLAIN, ClassReading
from zspag_core.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from zspag_core.data.dataset import DataSet
    from zspag_core.data.resizing import Size

TRAIN_FILE = "train_32x32.mat"
TEST_FILE = "test_32x32.mat"


def holds_svhn(folder: Path) -> bool:
    """Say whether both of SVHN's files are in the folder."""
    return (folder / TRAIN_FILE).is_file() and (folder / TEST_FILE).is_file()


def load_svhn(folder: Path, name: str, image_size: Size, channels: int, reading: ClassReading = PLAIN) -> DataSet:
    """Return the data set in SVHN's own files.

    Raises:
        DataError: a file is damaged or lacks `X` or `y`, a wrong dtype or shape, a label out of range.

    Source: Netzer et al., Reading Digits in Natural Images with Unsupervised Feature Learning, 2011.
    """
    parts = [_read_part(folder / file) for file in (TRAIN_FILE, TEST_FILE)]
    return finish(found_arrays(name, parts, [str(digit) for digit in range(10)]), image_size, channels, reading)


def _read_part(path: Path) -> ArrayPart:
    """Return one file's images; SVHN labels the digit 0 as 10."""
    from scipy import io

    try:
        arrays = io.loadmat(path, variable_names=["X", "y"])
        images, labels = arrays["X"], arrays["y"]  # (H, W, 3, N) and (N, 1)
    except KeyError as error:
        raise DataError(f"{path} has no array {error}; expected X and y.") from None
    except (OSError, ValueError, TypeError, LookupError, NotImplementedError, io.matlab.MatReadError, zlib.error):
        raise DataError(f"{path} is not a MATLAB 5 file that can be read.") from None
    labels = np.where(labels == 10, 0, labels) if labels.dtype.kind in "iuf" else labels
    return ArrayPart(np.moveaxis(images, -1, 0), labels, f"X of {path}", f"y of {path}")
