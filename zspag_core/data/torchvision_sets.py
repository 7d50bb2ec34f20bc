"""The public data sets that torchvision downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zspag_core.data.arrays import split_of_arrays
from zspag_core.data.split import assemble
from zspag_core.data.svhn import holds_svhn, load_svhn
from zspag_core.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from zspag_core.data.dataset import DataSet, Split

_LOADERS = {"cifar10": "CIFAR10", "cifar100": "CIFAR100", "fashion_mnist": "FashionMNIST"}
TORCHVISION_SETS = (*_LOADERS, "svhn")


def load_torchvision(name: str, root: Path, image_size: int, channels: int, *, download: bool) -> DataSet:
    """Return one of `TORCHVISION_SETS`, downloaded into `root` where it is not there yet.

    Args:
        name: one of `TORCHVISION_SETS`.
        root: the folder of downloads.
        image_size: side of the images in pixels.
        channels: 1 or 3.
        download: whether the network may be used.

    Raises:
        DataError: the set is not there and cannot be downloaded, or what is there is damaged.
    """
    if name == "svhn":
        folder = root / "svhn"
        if not holds_svhn(folder):
            for part in ("train", "test"):
                _fetch(name, "SVHN", folder, download=download, split=part)
        return load_svhn(folder, name, image_size, channels)
    parts = [_fetch(name, _LOADERS[name], root, download=download, train=train) for train in (True, False)]
    train, test = (_split(name, part, image_size, channels) for part in parts)
    return assemble(name, parts[0].classes, train, test)


def _fetch(name: str, loader: str, root: Path, *, download: bool, **part: Any) -> Any:  # noqa: ANN401
    """Return torchvision's own data set (which has no common type), or say why there is none."""
    from torchvision import datasets

    try:
        return getattr(datasets, loader)(root=root, download=download, **part)
    except (OSError, RuntimeError, ValueError, EOFError) as error:  # URLError is an OSError
        if not download:
            raise DataError(f"{name} is not in {root} and downloads are off.") from None
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(f"{name} could not be downloaded into {root} ({reason}); is this machine offline?") from None


def _split(name: str, part: Any, image_size: int, channels: int) -> Split:  # noqa: ANN401
    """Return torchvision's arrays as a split."""
    return split_of_arrays(
        np.asarray(part.data),
        np.asarray(part.targets),
        images_are=f"torchvision's {name}",
        labels_are=f"the labels of torchvision's {name}",
        image_size=image_size,
        channels=channels,
    )
