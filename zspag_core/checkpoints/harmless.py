"""The objects beside weights that are read although they are no tensors: each by its name, each unable to run code.

A training script saves its arguments, an accuracy or the state of a random generator beside the weights. torch.load
with weights_only=True refuses them. Each global listed here is replaced by something that only holds values while the
file is read, and that is written back as what it was.
"""

from __future__ import annotations

import argparse
import datetime
import math
import pathlib
import re
import threading
import types
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLAIN_TYPE = re.compile(r"[biufcSU]\d{1,6}")  # of numpy: numbers, truth values and texts; never objects or records
_LOCK = threading.Lock()  # torch keeps its list for the whole process


class NumpyType:
    """Stands for numpy.dtype while a file is read."""

    def __init__(self, code: str, _align: bool = False, _copy: bool = False) -> None:  # noqa: FBT001, FBT002 - numpy's
        if not isinstance(code, str) or not PLAIN_TYPE.fullmatch(code):
            raise ValueError(f"expected a numpy type of numbers or texts, got {code!r}")
        self.value = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take the byte order; the other fields describe records, which are refused."""
        if len(state) < 5 or state[1] not in {"<", ">", "|", "="} or any(field is not None for field in state[2:5]):
            raise ValueError("expected a numpy type of numbers or texts, got one with fields")
        self.value = self.value.newbyteorder(state[1])

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Go back into a file as numpy's own type."""
        return self.value.__reduce__()


class NumpyArray:
    """Stands for numpy.ndarray while a file is read."""

    def __init__(self) -> None:
        self.value = np.zeros(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take shape, type and values."""
        _, shape, kind, by_column, data = state
        self.value = np.reshape(_values(kind, data, math.prod(shape)), shape, order="F" if by_column else "C")

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Go back into a file as a numpy array."""
        return self.value.__reduce__()


def _values(kind: NumpyType, data: object, count: int) -> np.ndarray[Any, Any]:
    """Return `count` values out of the bytes that a file holds for them."""
    if type(kind) is not NumpyType or not isinstance(data, bytes) or len(data) != count * kind.value.itemsize:
        raise ValueError("expected as many bytes as the numpy values need")
    return np.frombuffer(data, kind.value)


def numpy_array(_kind: type, _shape: tuple[int, ...], _code: bytes) -> NumpyArray:
    """Begin an array as numpy's `_reconstruct` does; its state follows."""
    return NumpyArray()


def numpy_scalar(kind: NumpyType, data: bytes) -> np.generic:
    """Return one numpy value as numpy's `scalar` does, but never an object."""
    value: np.generic = _values(kind, data, 1)[0]
    return value


def plain_dict(_factory: object = None) -> dict[Any, Any]:
    """Return a dictionary in the place of a defaultdict."""
    return {}


def _listed() -> list[tuple[Callable[..., Any], str]]:
    """Return what each global is read as."""
    here = pathlib.PosixPath if isinstance(pathlib.Path(), pathlib.PosixPath) else pathlib.PurePosixPath
    there = pathlib.PureWindowsPath if here is pathlib.PosixPath else pathlib.WindowsPath
    pairs: list[tuple[Callable[..., Any], str]] = [
        (argparse.Namespace, "argparse.Namespace"),
        (types.SimpleNamespace, "types.SimpleNamespace"),
        (plain_dict, "collections.defaultdict"),
        (NumpyType, "numpy.dtype"),
        (NumpyArray, "numpy.ndarray"),
        (torch.torch_version.TorchVersion, "torch.torch_version.TorchVersion"),
    ]
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        pairs += [(numpy_scalar, f"{module}.scalar"), (numpy_array, f"{module}._reconstruct")]
    for module in ("pathlib", "pathlib._local"):
        pairs += [(here, f"{module}.PosixPath"), (there, f"{module}.WindowsPath")]
        pairs += [(kind, f"{module}.{kind.__name__}") for kind in (pathlib.PurePosixPath, pathlib.PureWindowsPath)]
    pairs += [
        (kind, f"builtins.{kind.__name__}") for kind in (list, dict, int, float, str, bool, tuple, bytes, frozenset)
    ]
    moments = (datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone)
    return pairs + [(kind, f"datetime.{kind.__name__}") for kind in moments]


HARMLESS = _listed()


@contextmanager
def harmless_globals() -> Iterator[None]:
    """Let torch.load(weights_only=True) read the listed globals inside the block."""
    with _LOCK, torch.serialization.safe_globals(HARMLESS):  # type: ignore[arg-type]
        yield


def plain(value: Any) -> Any:  # noqa: ANN401 - anything that a file holds
    """Return numpy values, paths and namespaces as numbers, texts and dictionaries; other things as they are."""
    if isinstance(value, NumpyArray):
        return value.value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, pathlib.PurePath):
        return str(value)
    if isinstance(value, (argparse.Namespace, types.SimpleNamespace)):
        return dict(vars(value))
    return value


MOST_VALUES = 16  # of a tensor that is kept although it is not the network's: an accuracy, an input size
MOST_PARTS = 200_000
DEEPEST = 30


class TooMuch(Exception):
    """A value holds weights, or more than facts beside a network need."""


def small_copy(value: Any) -> Any:  # noqa: ANN401 - anything that a file holds
    """Return a copy of a value that shares nothing with the file.

    Raises:
        TooMuch: it holds a tensor or array of more than a few values, very many values, or is nested without end.
    """
    return _copied(value, iter(range(MOST_PARTS)), 0)


def _copied(value: Any, room: Iterator[int], depth: int) -> Any:  # noqa: ANN401 - anything that a file holds
    """Copy one value; `room` runs out where the same parts are repeated without end."""
    if next(room, None) is None or depth > DEEPEST or _many(value):
        raise TooMuch
    if isinstance(value, dict):
        fresh = emptied(value)
        fresh.update({key: _copied(part, room, depth + 1) for key, part in value.items()})
        return fresh
    if type(value) in {list, tuple, set, frozenset}:
        return type(value)([_copied(part, room, depth + 1) for part in value])
    if type(value) in {argparse.Namespace, types.SimpleNamespace}:
        return type(value)(**_copied(vars(value), room, depth + 1))
    return value.clone() if isinstance(value, torch.Tensor) else value


def _many(value: object) -> bool:
    """Return whether a value is a tensor or array that may be weights."""
    if isinstance(value, torch.Tensor):
        return value.numel() > MOST_VALUES
    return isinstance(value, NumpyArray) and value.value.size > MOST_VALUES


def emptied(holder: dict[Any, Any]) -> dict[Any, Any]:
    """Return an empty dictionary of the same class and with the same attributes (`_metadata` of a state_dict)."""
    fresh = type(holder)()
    if hasattr(holder, "__dict__"):
        fresh.__dict__.update(vars(holder))
    return fresh
