"""Class folders on the disk or in a `.zip`, as the tree that both are."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from zspag_core.data.archive import open_archive
from zspag_core.data.files import InArchive, OnDisk
from zspag_core.data.reading import PLAIN, ClassReading
from zspag_core.data.tree import Tree, load_tree

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator

    from zspag_core.data.dataset import DataSet
    from zspag_core.data.resizing import Size


def load_folder(path: Path, name: str, image_size: Size, channels: int, reading: ClassReading = PLAIN) -> DataSet:
    """Return the data set of a folder of class folders; see :func:`zspag_core.data.tree.load_tree`."""
    entries = {PurePosixPath(*map(_named, entry.relative_to(path).parts)): entry for entry in _walk(path, frozenset())}
    folders = [short for short, entry in entries.items() if entry.is_dir()]
    files = {short: OnDisk(entry) for short, entry in entries.items() if entry.is_file()}
    return load_tree(Tree.of(str(path), folders, files), name, image_size, channels, reading)


def load_zip(path: Path, name: str, image_size: Size, channels: int, reading: ClassReading = PLAIN) -> DataSet:
    """Return the data set of a zip of class folders, read in memory; see :func:`zspag_core.data.tree.load_tree`.

    Raises:
        DataError: as `load_tree` and :func:`zspag_core.data.archive.open_archive`.
    """
    with open_archive(path) as archive:
        named = [info for info in archive.infolist() if info.filename and _path_of(info).parts]
        members = {_path_of(info): info for info in named if not _is_link(info)}
        folders = [short for short, info in members.items() if info.is_dir()]
        files = {short: InArchive(path, info.filename) for short, info in members.items() if not info.is_dir()}
        return load_tree(Tree.of(str(path), folders, files), name, image_size, channels, reading)


def _named(part: str) -> str:
    """Return a file's name as people read it: on a disk it may be of before UTF-8, as from an old archive."""
    try:
        return os.fsencode(part).decode()
    except UnicodeDecodeError:
        return os.fsencode(part).decode("latin-1")


def _walk(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """Yield everything under the folder; links are followed, save those that lead back up."""
    real = folder.resolve()
    if real in above:
        return
    for entry in folder.iterdir():
        yield entry
        if entry.is_dir():
            yield from _walk(entry, above | {real})


def _path_of(info: zipfile.ZipInfo) -> PurePosixPath:
    """Return a member's path; some programs for Windows write backslashes."""
    return PurePosixPath(info.filename.replace("\\", "/"))


def _is_link(info: zipfile.ZipInfo) -> bool:
    """Say whether a member is a symbolic link, of which nothing good can come."""
    return stat.S_ISLNK(info.external_attr >> 16)
