"""Zip archives opened with care; an `.npz` is one too. Nothing is ever extracted to disk."""

from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from contextlib import contextmanager
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from zspag_core.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_BYTES = 8 * 1024**3
"""The largest archive that is read, counted uncompressed, unless the environment's `LIMIT` says another."""
LIMIT = "ZSPAG_MAX_DATA_GB"
MAX_RATIO = 100
"""Images hardly compress further: an archive that grows more than this is a bomb ..."""
RATIO_FREE_BYTES = 64 * 1024**2
"""... unless it is too small to do harm."""

BROKEN = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError, LookupError, OverflowError),
    *(SyntaxError, tokenize.TokenError),
)
"""What reading a damaged archive raises; an encrypted or strangely compressed member is a RuntimeError, an array's torn
header, which is Python's notation, one of the last two."""


def max_bytes() -> float:
    """Return the largest size of an archive that is read.

    Raises:
        UsageError: the environment's limit is no number above 0.
    """
    asked = os.environ.get(LIMIT, "")
    if not asked:
        return MAX_BYTES
    try:
        gigabytes = float(asked)
    except ValueError:
        gigabytes = 0
    if not 0 < gigabytes < float("inf"):
        raise UsageError(f"{LIMIT}: expected a number of gigabytes above 0, got {asked!r}")
    return gigabytes * 1e9


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive for reading once its members' names and sizes have been checked.

    Sizes are the declared ones: reading stops there, so they bound what a member can become.

    Raises:
        DataError: not a zip archive, a member path that leaves the archive, too large, or a zip bomb.
    """
    try:
        archive = zipfile.ZipFile(path)
    except BROKEN:
        raise DataError(
            f"{path} is not a zip archive that can be read: it is damaged, cut off, or of another kind."
        ) from None
    with archive:
        _check_names(path, archive)
        _check_sizes(path, archive)
        yield archive


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, count: int | None = None) -> bytes:
    """Return the content of one member, or its first `count` bytes.

    Raises:
        DataError: the member is damaged, encrypted or compressed in an unknown way.
    """
    try:
        with archive.open(info) as member:
            return member.read() if count is None else member.read(count)
    except BROKEN:
        raise DataError(f"{archive.filename}/{info.filename} cannot be unpacked: damaged or encrypted.") from None


def read_later(path: Path, name: str, count: int | None = None) -> bytes:
    """Return what `read_member` does, of an archive that was checked and closed; the last few stay open.

    Raises:
        DataError: the archive or the member cannot be read any more.
    """
    try:
        archive = _opened(path, path.stat().st_mtime_ns)
        info = archive.getinfo(name)
    except (*BROKEN, KeyError):
        raise DataError(f"{path} cannot be read any more; expected the archive as it was.") from None
    return read_member(archive, info, count)


@lru_cache(maxsize=4)
def _opened(path: Path, _changed: int) -> zipfile.ZipFile:
    """Return an archive open for reading, once per state of its file."""
    return zipfile.ZipFile(path)


def _check_names(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse member paths that would leave the folder if they were extracted."""
    for info in archive.infolist():
        name = info.orig_filename.replace("\\", "/")
        if name.startswith("/") or name[1:2] == ":" or ".." in PurePosixPath(name).parts:
            raise DataError(f"{path} has a member that leaves its folder: '{info.orig_filename}'.")


def _check_sizes(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse archives that would fill the memory."""
    total = sum(info.file_size for info in archive.infolist())
    packed = path.stat().st_size
    most = max_bytes()
    if total > most:
        raise DataError(
            f"{path} unpacks to {total / 1e9:.1f} GB; expected at most {most / 1e9:.1f} GB ({LIMIT} raises the limit)."
        )
    if total > max(RATIO_FREE_BYTES, MAX_RATIO * packed):
        raise DataError(
            f"{path} unpacks to {total / packed:,.0f} times its size, as a zip bomb does; expected at most {MAX_RATIO}."
        )
