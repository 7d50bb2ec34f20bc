"""Models and data kept in a worker's memory: short tasks ask for the same ones again and again.

What these functions return is shared: nobody may change it.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from zspag_core.files import stamp

if TYPE_CHECKING:
    from zspag_core.checkpoints import Checkpoint
    from zspag_core.data import DataSet
    from zspag_core.data.resizing import Size

MODELS, DATA_SETS = 6, 2


def cached_checkpoint(path: str, device: str = "cpu") -> Checkpoint:
    """Load a checkpoint and place its model on a device, or return the one in memory while the file is as it was.

    Args:
        path: the file.
        device: as :func:`zspag_core.devices.resolve_device` takes it.
    """
    return _checkpoint(path, stamp(Path(path)), device, threading.get_ident())


def cached_dataset(source: str, checkpoint: Checkpoint, *, download: bool = False) -> DataSet:
    """Load a data set at a model's input size, or return the one in memory; it may still not fit the model.

    Args:
        source: name or path.
        checkpoint: whose model the images are for.
        download: whether the network may be used.
    """
    shape, names = checkpoint.model.config, checkpoint.about.get("class_names")
    known = None if names is None else tuple(names)
    return _dataset(
        source, stamp(Path(source)), shape.size, shape.channels, known, shape.num_classes, download=download
    )


@lru_cache(maxsize=MODELS)
def _checkpoint(path: str, _changed: str | None, device: str, _thread: int) -> Checkpoint:
    """Load a checkpoint, once per state of its file, device and thread: another one may have hooks on its model."""
    from zspag_core.checkpoints import load_checkpoint
    from zspag_core.devices import place, resolve_device

    loaded = load_checkpoint(path)
    place(loaded.model, resolve_device(device))
    return loaded


@lru_cache(maxsize=DATA_SETS)
def _dataset(
    source: str,
    _changed: str | None,
    size: Size,
    channels: int,
    class_names: tuple[str, ...] | None,
    num_classes: int,
    *,
    download: bool,
) -> DataSet:
    """Load a data set, once per state of its file and size of its images."""
    from zspag_core.data import load_dataset

    return load_dataset(
        source,
        image_size=size,
        channels=channels,
        download=download,
        class_names=class_names,
        num_classes=num_classes,
    )
