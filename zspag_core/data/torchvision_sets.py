"""The public data sets that torchvision downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zspag_core.data.arrays import ArrayPart, found_arrays
from zspag_core.data.parts import finish
from zspag_core.data.reading import PLAIN, ClassReading
from zspag_core.data.svhn import holds_svhn, load_svhn
from zspag_core.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from zspag_core.data.dataset import DataSet
    from zspag_core.data.resizing import Size

_LOADERS = {"cifar10": "CIFAR10", "cifar100": "CIFAR100", "fashion_mnist": "FashionMNIST"}
TORCHVISION_SETS = (*_LOADERS, "svhn")


def load_torchvision(
    name: str, root: Path, image_size: Size, channels: int, reading: ClassReading = PLAIN, *, download: bool
) -> DataSet:
    """Return one of `TORCHVISION_SETS`, downloaded into `root` where it is not there yet.

    Args:
        name: one of `TORCHVISION_SETS`.
        root: the folder of downloads.
        image_size: side of the images in pixels.
        channels: 1 or 3.
        reading: what is known of the classes.
        download: whether the network may be used.

    Raises:
        DataError: the set is not there and cannot be downloaded, or what is there is damaged.
    """
    if name == "svhn":
        folder = root / "svhn"
        if not holds_svhn(folder):
            for part in ("train", "test"):
                _fetch(name, "SVHN", folder, download=download, split=part)
        return load_svhn(folder, name, image_size, channels, reading)
    parts = [_fetch(name, _LOADERS[name], root, download=download, train=train) for train in (True, False)]
    found = found_arrays(name, [_part(name, part) for part in parts], parts[0].classes)
    return finish(found, image_size, channels, reading)


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


def _part(name: str, part: Any) -> ArrayPart:  # noqa: ANN401
    """Return torchvision's arrays as a part."""
    images, labels = np.asarray(part.data), np.asarray(part.targets)
    return ArrayPart(images, labels, f"torchvision's {name}", f"the labels of torchvision's {name}")
