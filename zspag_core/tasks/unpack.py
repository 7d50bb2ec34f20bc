"""A model folder that comes as a zip archive, unpacked beside it: config.json, the weights and small texts."""

from __future__ import annotations

import secrets
import shutil
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from zspag_core.errors import CheckpointError, DataError

if TYPE_CHECKING:
    import zipfile
    from pathlib import Path

CONFIG = "config.json"
TAKEN = (".json", ".txt", ".md", ".safetensors", ".bin", ".h5", ".msgpack")
"""Endings of what is unpacked; code is not among them."""


def unpacked_model(path: Path) -> Path | None:
    """Return the folder that a zipped model folder was unpacked to, beside it; None for any other file.

    Args:
        path: the archive; the folder's config.json may lie at its top or in one folder below.

    Raises:
        CheckpointError: an archive that would fill the disk, has members outside of it, or is damaged.
    """
    from zspag_core.checkpoints.kinds import is_zip
    from zspag_core.data.archive import open_archive

    if not path.is_file() or not is_zip(path):
        return None
    try:
        with open_archive(path) as archive:
            members = _members(archive)
            return _unpacked(archive, members, path) if members else None
    except DataError as error:
        raise CheckpointError(str(error).replace(str(path), path.name)) from None


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the files of the model folder by their names in it; none where there is no such folder."""
    files = {PurePosixPath(info.filename): info for info in archive.infolist() if not info.is_dir()}
    tops = sorted({place.parent for place in files if place.name == CONFIG}, key=lambda place: len(place.parts))
    if not tops or len(tops[0].parts) > 1:
        return {}
    return {
        place.name: info
        for place, info in files.items()
        if place.parent == tops[0] and place.suffix in TAKEN and not place.name.startswith(".")
    }


def _unpacked(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], path: Path) -> Path:
    """Write the files into a folder that appears only when it is complete."""
    from zspag_core.data.archive import BROKEN

    folder = path.with_name(f"{path.stem}.model")
    if folder.is_dir():
        return folder
    partial = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.partial")
    partial.mkdir()
    try:
        for name, info in members.items():
            with archive.open(info) as source, (partial / name).open("wb") as target:
                shutil.copyfileobj(source, target)  # stops at the size that was checked
        partial.replace(folder)
    except BROKEN:
        if not folder.is_dir():  # else another visitor with the same file was quicker
            raise CheckpointError(f"{path.name} cannot be unpacked: damaged or encrypted.") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
