"""Street View House Numbers, cropped digits: `train_32x32.mat` and `test_32x32.mat`."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from zspag_core.data.arrays import split_of_arrays
from zspag_core.data.split import assemble
from zspag_core.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from zspag_core.data.dataset import DataSet, Split

TRAIN_FILE = "train_32x32.mat"
TEST_FILE = "test_32x32.mat"


def holds_svhn(folder: Path) -> bool:
    """Say whether both of SVHN's files are in the folder."""
    return (folder / TRAIN_FILE).is_file() and (folder / TEST_FILE).is_file()


def load_svhn(folder: Path, name: str, image_size: int, channels: int) -> DataSet:
    """Return the data set in SVHN's own files.

    Raises:
        DataError: a file is damaged or lacks `X` or `y`, a wrong dtype or shape, a label out of range.

    Source: Netzer et al., Reading Digits in Natural Images with Unsupervised Feature Learning, 2011.
    """
    train, test = (_read_split(folder / file, image_size, channels) for file in (TRAIN_FILE, TEST_FILE))
    return assemble(name, [str(digit) for digit in range(10)], train, test)


def _read_split(path: Path, image_size: int, channels: int) -> Split:
    """Return one file's images; SVHN labels the digit 0 as 10."""
    from scipy import io

    try:
        arrays = io.loadmat(path, variable_names=["X", "y"])
        images, labels = arrays["X"], arrays["y"]  # (H, W, 3, N) and (N, 1)
    except KeyError as error:
        raise DataError(f"{path} has no array {error}; expected X and y.") from None
    except (OSError, ValueError, TypeError, NotImplementedError, io.matlab.MatReadError, zlib.error):
        raise DataError(f"{path} is not a MATLAB 5 file that can be read.") from None
    return split_of_arrays(
        np.moveaxis(images, -1, 0),
        np.where(labels == 10, 0, labels) if labels.dtype.kind in "iu" else labels,
        images_are=f"X of {path}",
        labels_are=f"y of {path}",
        image_size=image_size,
        channels=channels,
    )
