"""CIFAR's own pickles (`cifar-10-batches-py`, `cifar-100-python`), read without running what a pickle could hold."""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np

from zspag_core.data.arrays import ArrayPart, found_arrays
from zspag_core.data.parts import finish
from zspag_core.data.reading import PLAIN, ClassReading
from zspag_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zspag_core.data.dataset import DataSet
    from zspag_core.data.resizing import Size

MAX_BYTES = 1024**3
_LABELS = ("labels", "fine_labels")
_NAMES = ("label_names", "fine_label_names")
_SIDE = 32


def holds_cifar(folder: Path) -> bool:
    """Say whether CIFAR's pickles are in the folder."""
    return folder.is_dir() and bool(_files(folder))


def load_cifar(folder: Path, name: str, image_size: Size, channels: int, reading: ClassReading = PLAIN) -> DataSet:
    """Return the data set in CIFAR's own pickles.

    Raises:
        DataError: a file that holds more than arrays, lists and texts, or no `data` and `labels` of CIFAR's shape; see
            also :func:`zspag_core.data.parts.finish`.

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """
    parts = [_part(folder, files) for files in _files(folder)]
    meta = next((path for name in ("batches.meta", "meta") if (path := folder / name).is_file()), None)
    about = _read(meta) if meta else {}
    names = next((about[key] for key in _NAMES if isinstance(about.get(key), list)), None)
    return finish(found_arrays(name, parts, names and [_text(one) for one in names]), image_size, channels, reading)


def _files(folder: Path) -> list[list[Path]]:
    """Return the files to train on and those to test, where both are there."""
    ten = [sorted(folder.glob("data_batch_[0-9]")), sorted(folder.glob("test_batch"))]
    hundred = [[folder / "train"], [folder / "test"]]
    found = next((files for files in (ten, hundred) if all(files)), hundred)
    return found if all(file.is_file() for files in found for file in files) else []


def _part(folder: Path, files: Sequence[Path]) -> ArrayPart:
    """Return the images and labels of some files, one after the other."""
    batches = [(file, _read(file)) for file in files]
    images = [_images(file, batch.get("data")) for file, batch in batches]
    labels = [label for file, batch in batches for label in _labels(file, batch)]
    what = f"{files[0].name} of {folder}"
    return ArrayPart(np.concatenate(images), np.array(labels), f"data of {what}", f"the labels of {what}")


def _labels(file: Path, batch: Mapping[str, Any]) -> list[int]:
    """Return the labels of one file."""
    labels = next((batch[key] for key in _LABELS if key in batch), None)
    if not isinstance(labels, list) or not labels or any(type(one) is not int or abs(one) > 2**32 for one in labels):
        raise DataError(f"{file} has no list of labels; expected CIFAR's own pickles.")
    return labels


def _images(file: Path, data: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401 - what a pickle holds
    """Return rows of three colour planes as (N, 32, 32, 3)."""
    try:
        rows = data.plain() if isinstance(data, _Array) else None
    except (ValueError, TypeError, OverflowError):
        rows = None
    if rows is None or rows.shape[1:] != (3 * _SIDE * _SIDE,):
        raise DataError(f"{file} has no data of CIFAR's shape; expected (N, 3072) uint8.")
    return np.asarray(rows.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1))


def _read(path: Path) -> dict[str, Any]:
    """Return what a pickle holds, its keys as texts."""
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path} is too large for CIFAR's own pickles; expected at most 1 GB.")
    try:
        held = _Harmless(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except _Refused as found:
        raise DataError(f"{path} would run code when read ({found}); expected CIFAR's own pickles.") from None
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        OverflowError,
        MemoryError,
    ):
        raise DataError(f"{path} is not a pickle of CIFAR's that can be read.") from None
    if not isinstance(held, dict):
        raise DataError(f"{path} holds a {type(held).__name__}; expected CIFAR's own pickles.")
    return {_text(key): value for key, value in held.items()}


def _text(value: Any) -> str:  # noqa: ANN401 - what a pickle holds
    """Return a text that may be bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class _Refused(Exception):
    """A pickle asks for more than plain data."""


class _Dtype:
    """Stands for a type of numbers in a pickle; only its code is kept."""

    def __init__(self, code: Any = "", *_flags: Any) -> None:  # noqa: ANN401 - what a pickle holds
        self.code = _text(code)

    def __setstate__(self, _state: Any) -> None:  # noqa: ANN401 - as in pickle
        """Leave the order of bytes alone: one byte has none."""


class _Array:
    """Stands for an array in a pickle: numpy's own way of filling arrays is not for strangers."""

    shape: Any = ()
    dtype: Any = None
    fortran: Any = False
    content: Any = b""

    def __setstate__(self, state: Any) -> None:  # noqa: ANN401 - as in pickle
        """Keep what numpy's arrays are described by."""
        _, self.shape, self.dtype, self.fortran, self.content = state

    def plain(self) -> np.ndarray[Any, Any] | None:
        """Return the array, if it is one of bytes."""
        if not isinstance(self.dtype, _Dtype) or self.dtype.code not in {"u1", "|u1"}:
            return None
        if not isinstance(self.content, (bytes, bytearray)) or not isinstance(self.shape, tuple):
            return None
        flat = np.frombuffer(self.content, np.uint8)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")


def _rebuilt(content: Any, dtype: Any, shape: Any, order: Any) -> _Array:  # noqa: ANN401 - what a pickle holds
    """Return the array that numpy lays down by its buffer."""
    array = _Array()
    array.__setstate__((1, shape, dtype, order == "F", content))
    return array


def _latin(text: Any, _encoding: Any = None) -> bytes:  # noqa: ANN401 - what a pickle holds
    """Return the bytes that a pickle of Python 3 wrote as a text."""
    return str(text).encode("latin-1")


_PLAIN = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _latin,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): lambda *_: _Array() for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _rebuilt for core in ("core", "_core")},
}


class _Harmless(pickle.Unpickler):
    """Builds numbers, texts, lists, dictionaries and arrays of bytes, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - as in pickle
        """Return what stands for the few things that arrays are built with."""
        if (module, name) not in _PLAIN:
            raise _Refused(f"{module}.{name}")
        return _PLAIN[module, name]
