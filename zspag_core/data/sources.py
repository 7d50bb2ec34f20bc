"""Where a data set is, by name or by path, and which form it has there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from zspag_core.data.cache import cached
from zspag_core.data.digits import load_digits
from zspag_core.data.folders import load_folder, load_zip
from zspag_core.data.npz import load_npz
from zspag_core.data.parquet import load_parquet
from zspag_core.data.svhn import holds_svhn, load_svhn
from zspag_core.data.torchvision_sets import TORCHVISION_SETS, load_torchvision
from zspag_core.errors import DataError, UsageError
from zspag_core.files import home

if TYPE_CHECKING:
    from zspag_core.data.dataset import DataSet

DATASETS = ("digits", "cifar10", "cifar100", "svhn", "fashion_mnist")
MAX_IMAGE_SIZE = 512


def load_dataset(source: str, *, image_size: int = 32, channels: int = 3, download: bool = True) -> DataSet:
    """Return a data set, decoded and resized (stretched to a square, antialiased bilinear).

    A name is looked up in the read-only folder ZSPAG_DATA first (`NAME/`, `NAME.npz` or `NAME.zip`), then among
    torchvision's downloads under ZSPAG_HOME. `digits` comes with scikit-learn.

    Args:
        source: one of `DATASETS`, a name in ZSPAG_DATA, or a path: a folder or `.zip` of class folders, an `.npz`, a
            `.parquet` file or a folder of them, a folder with SVHN's `.mat` files.
        image_size: side of the images in pixels, 1 to 512.
        channels: 1 (grey) or 3 (colour).
        download: whether the network may be used.

    Returns:
        The data set, with uint8 images (N, channels, image_size, image_size).

    Raises:
        DataError: the source does not exist or cannot be used; one sentence says what and where.
        UsageError: an image size or number of channels outside its range.
    """
    if not 1 <= image_size <= MAX_IMAGE_SIZE:
        raise UsageError(f"image size: expected 1 to {MAX_IMAGE_SIZE} pixels, got {image_size}")
    if channels not in {1, 3}:
        raise UsageError(f"channels: expected 1 or 3, got {channels}")
    if source == "digits":
        return load_digits(image_size, channels)
    try:
        path = _find(source)
        if path is not None:
            name = source if source in DATASETS else path.resolve().name
            return load_path(path, name, image_size, channels)
    except OSError as error:
        raise DataError(f"{error.filename or source} cannot be read: {error.strerror or error}.") from None
    if source in TORCHVISION_SETS:
        return load_torchvision(source, home() / "data", image_size, channels, download=download)
    raise DataError(f"There is no data set '{source}'; expected one of {', '.join(DATASETS)} or a path that exists.")


def load_path(path: Path, name: str, image_size: int, channels: int) -> DataSet:
    """Return the data set at a path, whatever form it has; arguments and errors as in :func:`load_dataset`."""
    if path.suffix.lower() == ".npz":
        return load_npz(path, name, image_size, channels)
    if holds_svhn(path):
        return load_svhn(path, name, image_size, channels)
    if path.is_dir():
        load = load_parquet if next(path.rglob("*.parquet"), None) else load_folder
    elif path.suffix.lower() in _ENCODED_FORMS:
        load = _ENCODED_FORMS[path.suffix.lower()]
    else:
        raise DataError(f"{path} has an unknown form; expected a folder, a .zip, an .npz or a .parquet file.")
    return cached(path, image_size, channels, lambda: load(path, name, image_size, channels))


_ENCODED_FORMS = {".zip": load_zip, ".parquet": load_parquet}


def _find(source: str) -> Path | None:
    """Return where the source lies on this machine, if it does."""
    shared = os.environ.get("ZSPAG_DATA")
    is_name = source not in {"", ".", ".."} and Path(source).name == source
    candidates = [Path(shared) / f"{source}{form}" for form in ("", ".npz", ".zip")] if shared and is_name else []
    if source not in DATASETS:
        candidates.insert(0, Path(source).expanduser())
    return next((path for path in candidates if source and path.exists()), None)
