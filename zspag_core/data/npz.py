"""`.npz` files: arrays `train_x, train_y, test_x, test_y` (+ `class_names`), or MedMNIST's `train_images, …`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zspag_core.data.archive import BROKEN, open_archive
from zspag_core.data.arrays import Array, split_of_arrays
from zspag_core.data.split import assemble
from zspag_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from zspag_core.data.dataset import DataSet, Split

_FAMILIES = (("x", "y"), ("images", "labels"))


def load_npz(path: Path, name: str, image_size: int, channels: int) -> DataSet:
    """Return the data set of an `.npz` file; MedMNIST's validation images are left out.

    Raises:
        DataError: a missing key, a wrong dtype or shape, a label out of range, an array of Python objects (which
            would run code when read), a file that unpacks to too much.
    """
    with open_archive(path), np.load(path, allow_pickle=False) as arrays:
        images, labels = _keys(path, arrays)
        train, test = (
            split_of_arrays(
                _read(path, arrays, f"{part}_{images}"),
                _read(path, arrays, f"{part}_{labels}"),
                images_are=f"{part}_{images} of {path}",
                labels_are=f"{part}_{labels} of {path}",
                image_size=image_size,
                channels=channels,
            )
            for part in ("train", "test")
        )
        class_names = _class_names(path, arrays, train, test)
    return assemble(name, class_names, train, test)


def _keys(path: Path, arrays: Mapping[str, Array]) -> tuple[str, str]:
    """Return the endings of the image and label keys, once all four keys are seen to be there."""
    images, labels = next((pair for pair in _FAMILIES if f"train_{pair[0]}" in arrays), _FAMILIES[0])
    for key in (f"{part}_{kind}" for part in ("train", "test") for kind in (images, labels)):
        if key not in arrays:
            raise DataError(
                f"{path} has no array '{key}' (found: {', '.join(arrays) or 'none'}); expected "
                "train_x, train_y, test_x, test_y or train_images, train_labels, test_images, test_labels."
            )
    return images, labels


def _read(path: Path, arrays: Mapping[str, Array], key: str) -> Array:
    """Return one array; objects, which only a pickle can hold, are refused."""
    try:
        array = arrays[key]
    except (*BROKEN, MemoryError):
        array = None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{key} of {path} cannot be read; expected a plain array without Python objects.")
    return array


def _class_names(path: Path, arrays: Mapping[str, Array], train: Split, test: Split) -> list[str]:
    """Return the names that the file gives, else the labels' numbers."""
    if "class_names" not in arrays:
        return [str(number) for number in range(1 + int(max(train.labels.max(), test.labels.max())))]
    names = _read(path, arrays, "class_names")
    if names.ndim != 1 or names.dtype.kind != "U":
        raise DataError(f"class_names of {path} is {names.dtype} of shape {names.shape}; expected a vector of strings.")
    return [str(name) for name in names]
