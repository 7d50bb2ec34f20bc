"""`.npz` files: arrays of images and labels, by part, under any of their usual names (+ `class_names`).

A file without a test part, or with only `x, y` (`images, labels`), is split as class folders without `test/` are.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
from numpy.lib.npyio import NpzFile

from zspag_core.data.archive import BROKEN, open_archive
from zspag_core.data.arrays import Array, ArrayPart, found_arrays
from zspag_core.data.parts import finish
from zspag_core.data.reading import PLAIN, ClassReading
from zspag_core.data.roles import TEST, TRAIN, VALIDATION, role_of
from zspag_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zspag_core.data.dataset import DataSet
    from zspag_core.data.resizing import Size

IMAGES, LABELS = "images", "labels"
_IMAGE_WORDS = ("x", "images", "image", "imgs", "img", "data", "pixels", "samples", "features", "inputs")
_LABEL_WORDS = ("y", "labels", "label", "targets", "target", "classes", "class")
_KINDS = {**dict.fromkeys(_IMAGE_WORDS, IMAGES), **dict.fromkeys(_LABEL_WORDS, LABELS)}
_NAME_KEYS = ("class_names", "label_names", "target_names", "names")
EXPECTED = (
    "expected train_x, train_y (or x, y) and, for a test part, test_x, test_y; images, labels may stand for x, y, and "
    "x_train for train_x"
)


def load_npz(path: Path, name: str, image_size: Size, channels: int, reading: ClassReading = PLAIN) -> DataSet:
    """Return the data set of an `.npz` file; validation images beside a test part are left out.

    Raises:
        DataError: missing or doubtful keys, arrays that have no single reading as images and labels (see
            :func:`zspag_core.data.arrays.found_arrays`), an array of Python objects (which would run code when read), a
            file that unpacks to too much; see also :func:`zspag_core.data.parts.finish`.
    """
    with open_archive(path), _opened(path) as arrays:
        keys, notes = _keys(path, arrays)
        parts = [
            ArrayPart(
                _read(path, arrays, images), _read(path, arrays, labels), f"{images} of {path}", f"{labels} of {path}"
            )
            for images, labels in keys
        ]
        found = found_arrays(name, parts, _class_names(path, arrays), notes)
    return finish(found, image_size, channels, reading)


def _opened(path: Path) -> NpzFile:
    """Open the arrays of a file that is a zip archive.

    Raises:
        DataError: numpy does not take it for one: its first bytes are others.
    """
    try:
        arrays = np.load(path, allow_pickle=False)
    except BROKEN:
        arrays = None
    if not isinstance(arrays, NpzFile):
        raise DataError(f"{path} cannot be read; expected an .npz file as numpy.savez writes it.")
    return arrays


def _keys(path: Path, arrays: Mapping[str, Array]) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the keys of images and labels, to train on and, where there is a test part, of that; and notes."""
    if set(arrays) == {"arr_0", "arr_1"}:
        return [_by_shape(path, arrays)], []
    found: dict[str, dict[str, str]] = {}
    for key in arrays:
        role, kind = _meaning(key)
        if kind:
            _add(path, found.setdefault(role, {}), kind, key, arrays)
    if "" in found and TRAIN not in found:
        found[TRAIN] = found.pop("")
    train, held = found.get(TRAIN, {}), TEST if TEST in found else VALIDATION
    parts = [_pair(path, arrays, train, "train_")]
    if held in found and (held == TEST or len(found[held]) > 1):
        parts.append(_pair(path, arrays, found[held], f"{'test' if held == TEST else 'val'}_"))
    aside = [role for role in found if role not in {TRAIN, held} or (role == held and len(parts) == 1)]
    return parts, [f"{', '.join(found[role].values())} of {path} are left aside" for role in aside]


def _meaning(key: str) -> tuple[str, str | None]:
    """Return the part of a key ("" where it names none) and whether it holds images or labels; None for neither."""
    words = [part for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", key) for part in _apart(word.casefold())]
    kinds = {_KINDS[word] for word in words if word in _KINDS}
    roles = {role for word in words if (role := role_of(word)) in {TRAIN, TEST, VALIDATION}}
    plain = all(word in _KINDS or role_of(word) or word == "set" for word in words)
    return roles.pop() if len(roles) == 1 else "", kinds.pop() if len(kinds) == 1 and plain else None


def _apart(word: str) -> tuple[str, ...]:
    """Return the words of xtrain or trainx, which are written as one."""
    for kind, part in ((word[:1], word[1:]), (word[-1:], word[:-1])):
        if kind in {"x", "y"} and role_of(part):
            return kind, part
    return (word,)


def _add(path: Path, part: dict[str, str], kind: str, key: str, arrays: Mapping[str, Array]) -> None:
    """Add a key to its part.

    Raises:
        DataError: another key means the same.
    """
    if kind in part:
        raise DataError(
            f"{path} has two arrays of {kind}, '{part[kind]}' and '{key}' (found: {', '.join(arrays)}); {EXPECTED}."
        )
    part[kind] = key


def _pair(path: Path, arrays: Mapping[str, Array], part: Mapping[str, str], begins: str) -> tuple[str, str]:
    """Return the keys of images and labels of a part.

    Raises:
        DataError: one is missing.
    """
    for kind, short in ((IMAGES, "x"), (LABELS, "y")):
        if kind not in part:
            other = next(iter(part.values()), None)
            beside = f", beside '{other}'" if other else ""
            raise DataError(
                f"{path} has no array of {kind}, such as '{begins}{short}'{beside} "
                f"(found: {', '.join(arrays) or 'none'}); {EXPECTED}."
            )
    return part[IMAGES], part[LABELS]


def _by_shape(path: Path, arrays: Mapping[str, Array]) -> tuple[str, str]:
    """Return the keys of images and labels of two arrays without names: images have more axes."""
    axes = {key: _read(path, arrays, key).ndim for key in arrays}
    images, labels = sorted(axes, key=lambda key: -axes[key])
    if axes[images] == axes[labels]:
        raise DataError(f"{path} has two arrays without names that could both be images; {EXPECTED}.")
    return images, labels


def _read(path: Path, arrays: Mapping[str, Array], key: str) -> Array:
    """Return one array; objects, which only a pickle can hold, are refused."""
    try:
        array = arrays[key]
    except (BadZipFile, zlib.error):
        raise DataError(f"{key} of {path} cannot be read: the file is damaged.") from None
    except (*BROKEN, MemoryError):
        array = None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{key} of {path} cannot be read; expected a plain array without Python objects.")
    return array


def _class_names(path: Path, arrays: Mapping[str, Array]) -> Sequence[str] | None:
    """Return the names that the file gives."""
    key = next((key for key in _NAME_KEYS if key in arrays), None)
    if key is None:
        return None
    names = _read(path, arrays, key)
    if names.ndim != 1 or names.dtype.kind not in "US":
        raise DataError(f"{key} of {path} is {names.dtype} of shape {names.shape}; expected a vector of strings.")
    return [str(one) for one in (np.char.decode(names, "utf-8", "replace") if names.dtype.kind == "S" else names)]
