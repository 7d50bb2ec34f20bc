"""Decoded data sets kept under ZSPAG_HOME: 60,000 small JPEGs take seconds to decode and a moment to read back."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING

from zspag_core.data.dataset import DataSet, Split
from zspag_core.data.images import Images, look_through
from zspag_core.files import home, let_read, replace_file, stamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zspag_core.data.resizing import Size

MIN_IMAGES = 10_000
"""Smaller data sets are decoded anew each time."""
MAX_FILES = 8
"""The oldest files beyond these are removed."""

_VERSION = "2"


def cached(path: Path, image_size: Size, channels: int, load: Callable[[], DataSet], reading: str = "") -> DataSet:
    """Return what `load` returns, from the cache where the files at `path` are still as they were.

    Of images that stay where they lie only that every one can be read is remembered. A cache that cannot be read or
    written is done without.

    Args:
        path: the file or folder that `load` reads.
        image_size: side of the images in pixels.
        channels: 1 or 3.
        load: decodes the data set.
        reading: how it is read, in words that differ where the result does.
    """
    file = home() / "cache" / f"{_fingerprint(path, image_size, channels, reading)}.safetensors"
    dataset = _read(file)
    if dataset is None:
        dataset = load()
        if isinstance(dataset.train.images, Images) or isinstance(dataset.test.images, Images):
            _check(file.with_suffix(".read"), dataset)
        elif len(dataset.train) + len(dataset.test) >= MIN_IMAGES:
            _write(file, dataset)
    return dataset


def _check(marker: Path, dataset: DataSet) -> None:
    """Read every image once, unless a marker says that this was done."""
    if marker.exists():
        return
    for split in (dataset.train, dataset.test):
        look_through(split.images)
    with contextlib.suppress(OSError), replace_file(marker) as partial:
        partial.touch()


def _fingerprint(path: Path, image_size: Size, channels: int, reading: str) -> str:
    """Return a digest of where the files are, how large and how old, and of what is made of them."""
    content = f"{_VERSION} {path.resolve()} {image_size} {channels} {reading} {stamp(path)}"
    return hashlib.sha256(content.encode()).hexdigest()


def _read(file: Path) -> DataSet | None:
    """Return the data set in a cache file, if it is there and whole."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as stored:
            about = stored.metadata()
            train, test = (
                Split(stored.get_tensor(f"{part}_images"), stored.get_tensor(f"{part}_labels"))
                for part in ("train", "test")
            )
            names, notes = (tuple(json.loads(about[key])) for key in ("class_names", "notes"))
            return DataSet(about["name"], names, train, test, notes)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def _write(file: Path, dataset: DataSet) -> None:
    """Write a cache file, if this machine lets us, and remove the oldest beyond `MAX_FILES`."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {
        f"{part}_{kind}": getattr(split, kind)
        for part, split in (("train", dataset.train), ("test", dataset.test))
        for kind in ("images", "labels")
    }
    header = {"class_names": json.dumps(dataset.class_names), "notes": json.dumps(dataset.notes)}
    about = {"name": dataset.name, **header}
    with contextlib.suppress(OSError, SafetensorError):
        with replace_file(file) as partial:
            save_file(tensors, partial, about)
            let_read(partial)
        for old in sorted(file.parent.glob("*.safetensors"), key=lambda kept: kept.stat().st_mtime)[:-MAX_FILES]:
            old.unlink()
