"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import hashlib
import json
import math
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.errors import UsageError
from zspag_core.faults import writing

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; what is written there takes the name `path` when the block ends well.

    Raises:
        OSError: it cannot be written; the error names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")  # two processes may write the same file
    try:
        with writing(path):  # before the partial file goes, which gives room again
            yield partial
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def let_read(path: Path) -> None:
    """Let those read a file who may read its folder: safetensors writes for the owner alone, whatever the umask."""
    path.chmod(path.stat().st_mode | (path.parent.stat().st_mode & 0o444))


def stamp(path: Path) -> str | None:
    """Return a text that changes when a file, or any file in a folder, does; None where nothing is there.

    Content is not read: names, sizes and times are.
    """
    if not path.exists():
        return None
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        about = file.lstat()
        digest.update(f"{file} {about.st_size} {about.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:24]


def unwritable(path: Path) -> Path | None:
    """Return the nearest existing thing above `path` if nothing can be made there, None if it can."""
    above = path.absolute().parents
    folder = next(place for place in above if place.exists())
    return None if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK) else folder


def check_writable(out: Path) -> None:
    """Refuse an output that cannot be made.

    Raises:
        UsageError: nothing can be written where it should be.
    """
    if (folder := unwritable(out)) is not None:
        raise UsageError(f"out: {out} cannot be written: {folder} is not a folder that can be written")


def finite(value: Any) -> Any:  # noqa: ANN401 - anything that json can write
    """Turn NaN and infinity, for which JSON has no word, into null, at any depth; keys become texts."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return value


def write_json(path: Path, record: Any) -> None:  # noqa: ANN401 - anything that json can write
    """Write a record as indented JSON; NaN and infinity are refused, since JSON has no word for them."""
    with replace_file(path) as partial:
        partial.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:  # noqa: ANN401 - anything that json can hold
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def home() -> Path:
    """Return the folder of downloads, database, queue and runs: ZSPAG_HOME, else ~/.zspag."""
    return Path(os.environ.get("ZSPAG_HOME") or Path.home() / ".zspag").expanduser()
