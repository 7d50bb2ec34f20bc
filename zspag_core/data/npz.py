"""`.npz` files: arrays `train_x, train_y, test_x, test_y` (+ `class_names`), or MedMNIST's `train_images, …`.

A file without a test part, or with only `x, y` (`images, labels`), is split as class folders without `test/` are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zspag_core.data.archive import BROKEN, open_archive
from zspag_core.data.arrays import Array, split_of_arrays
from zspag_core.data.floats import to_bytes
from zspag_core.data.split import assemble, assemble_unsplit, numbered
from zspag_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zspag_core.data.dataset import DataSet, Split

_TRAINING = (("train_x", "train_y"), ("train_images", "train_labels"), ("x", "y"), ("images", "labels"))


def load_npz(path: Path, name: str, image_size: int, channels: int) -> DataSet:
    """Return the data set of an `.npz` file; MedMNIST's validation images are left out.

    Images are uint8 or, see :func:`zspag_core.data.floats.to_bytes`, floats. Without a test part a fixed, stratified
    fifth is kept for testing.

    Raises:
        DataError: a missing key, a wrong dtype, shape or range, a label out of range, a class that lacks images in one
            of the parts, an array of Python objects (which would run code when read), a file that unpacks to too much.
    """
    with open_archive(path), np.load(path, allow_pickle=False) as arrays:
        train, *test = (_split(path, arrays, keys, image_size, channels) for keys in _keys(path, arrays))
        class_names = _class_names(path, name, arrays, [train, *test])
    return assemble(name, class_names, train, *test) if test else assemble_unsplit(name, class_names, train)


def _keys(path: Path, arrays: Mapping[str, Array]) -> list[tuple[str, str]]:
    """Return the keys of images and labels: of the training part, then of the test part where the file has one."""
    images, labels = next((keys for keys in _TRAINING if any(key in arrays for key in keys)), _TRAINING[0])
    parts = [(images, labels)]
    if any("test" in key.split("_") for key in arrays):
        parts.append((f"test_{images.removeprefix('train_')}", f"test_{labels.removeprefix('train_')}"))
    for key in (key for part in parts for key in part):
        if key not in arrays:
            raise DataError(
                f"{path} has no array '{key}' (found: {', '.join(arrays) or 'none'}); expected train_x, train_y (or "
                "x, y) and, for a test part, test_x, test_y; images, labels may stand for x, y."
            )
    return parts


def _split(path: Path, arrays: Mapping[str, Array], keys: tuple[str, str], image_size: int, channels: int) -> Split:
    """Return the images and labels under two keys."""
    images_are, labels_are = (f"{key} of {path}" for key in keys)
    return split_of_arrays(
        to_bytes(images_are, _read(path, arrays, keys[0])),
        _read(path, arrays, keys[1]),
        images_are=images_are,
        labels_are=labels_are,
        image_size=image_size,
        channels=channels,
    )


def _read(path: Path, arrays: Mapping[str, Array], key: str) -> Array:
    """Return one array; objects, which only a pickle can hold, are refused."""
    try:
        array = arrays[key]
    except (*BROKEN, MemoryError):
        array = None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{key} of {path} cannot be read; expected a plain array without Python objects.")
    return array


def _class_names(path: Path, name: str, arrays: Mapping[str, Array], splits: Sequence[Split]) -> list[str]:
    """Return the names that the file gives, else the labels' numbers."""
    if "class_names" not in arrays:
        return numbered(name, *(split.labels for split in splits))
    names = _read(path, arrays, "class_names")
    if names.ndim != 1 or names.dtype.kind != "U":
        raise DataError(f"class_names of {path} is {names.dtype} of shape {names.shape}; expected a vector of strings.")
    return [str(one) for one in names]
