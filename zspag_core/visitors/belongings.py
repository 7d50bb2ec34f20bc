"""Whose an upload or a trained model is, and how much room all that is somebody's takes."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.files import home, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def uploads() -> Path:
    """Return the folder of what visitors uploaded."""
    return home() / "uploads"


def trained() -> Path:
    """Return the folder of the models that were trained here."""
    return home() / "checkpoints"


def about_file(upload: Path) -> Path:
    """Return the file that says what an upload was called, and by whom."""
    return upload.with_name(f".{upload.name}.json")


def about(upload: Path) -> dict[str, Any]:
    """Return what is known of an upload; empty where nothing is."""
    try:
        found = read_json(about_file(upload))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def owners(upload: Path) -> dict[str, str]:
    """Return who brought an upload: visitor -> the name that it had with them."""
    found = about(upload).get("owners")
    return {str(owner): str(title) for owner, title in found.items()} if isinstance(found, dict) else {}


def add_owner(upload: Path, owner: str, title: str) -> None:
    """Note that a visitor has brought this very file, too."""
    write_json(about_file(upload), about(upload) | {"owners": owners(upload) | {owner: title}})


def files_within(value: Any, folder: Path) -> Iterator[Path]:  # noqa: ANN401 - anything that json can hold
    """Yield the paths inside a folder that a job's config names, at any depth."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from files_within(part, folder)
    elif isinstance(value, str) and value:
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            path = Path(value).resolve()
            if folder in path.parents:
                yield path


def size_mb(paths: Iterable[Path]) -> float:
    """Return the room that files and folders take, in MB; what goes meanwhile takes none."""
    total = 0
    for path in paths:
        for file in path.rglob("*") if path.is_dir() else [path]:
            with contextlib.suppress(OSError):
                total += file.lstat().st_size
    return total / 1e6
