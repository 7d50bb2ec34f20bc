"""Files that visitors bring: checked for size, kept under names of our own, cleared away when old.

Nothing in them is opened here: a worker does that, in a process of its own.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ui.shell.jobs import own_store
from zspag_core.errors import CheckpointError, DataError, ZspagError
from zspag_core.files import write_json
from zspag_core.visitors.belongings import about_file, add_owner, uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

DATA_FORMS = (".zip", ".npz", ".parquet")
LONG_ENDINGS = (".pth.tar", ".pt.tar", ".ckpt.tar")
MODEL_PARTS = (".json", ".txt", ".md", ".safetensors", ".bin", ".h5", ".msgpack")
"""Endings of what is taken of a model folder; code is not among them."""
MODEL_MB, DATA_MB, SET_MB = 300, 300, 900
KEPT_DAYS = 30
KEPT_MB = 6_000
SPLITS = ("train", "test", "val")
NAME_LETTERS = 20
TITLE_LETTERS = 60


class Upload(Protocol):
    """What is used of streamlit's UploadedFile."""

    name: str
    size: int

    def getbuffer(self) -> memoryview:
        """Return the file's bytes without copying them."""


@dataclass(frozen=True)
class _Part:
    """One file of an upload: its bytes, their digest, and the ending of its name."""

    content: memoryview
    digest: str
    suffix: str
    title: str


def keep_checkpoint(upload: Upload) -> Path:
    """Keep an uploaded checkpoint, whatever its ending, and return its file: a worker looks at its content.

    Raises:
        CheckpointError: too large, or empty.
    """
    part = _part(upload, None, MODEL_MB, CheckpointError)
    return _keep(f"{part.digest[:NAME_LETTERS]}{part.suffix}", part.title, lambda path: path.write_bytes(part.content))


def keep_server_model(source: Path) -> Path:
    """Keep a copy of a checkpoint that lies on the server, a file or a model folder, and return it.

    Raises:
        CheckpointError: nothing in it, or it cannot be read.
    """
    files = [source] if source.is_file() else sorted(file for file in source.iterdir() if _is_part(file))
    if not files:
        raise CheckpointError(f"{source.name} holds no file of a model; expected config.json and weights.")
    try:
        digest = hashlib.sha256("".join(f"{file.name}{_digest(file)}" for file in files).encode()).hexdigest()
    except OSError as error:
        raise CheckpointError(f"{source.name} cannot be read: {error.strerror}.") from error
    if source.is_file():
        name = f"{digest[:NAME_LETTERS]}{_ending(source.name)}"
        return _keep(name, source.name, lambda path: shutil.copyfile(source, path))
    return _keep(f"{digest[:NAME_LETTERS]}.model", source.name, lambda folder: _copy_all(folder, files))


def _is_part(file: Path) -> bool:
    """Tell whether a file belongs to a model folder."""
    return file.is_file() and file.suffix in MODEL_PARTS and not file.name.startswith(".")


def _copy_all(folder: Path, files: Sequence[Path]) -> None:
    """Copy files into a new folder."""
    folder.mkdir()
    for file in files:
        shutil.copyfile(file, folder / file.name)


def _digest(file: Path) -> str:
    """Return the hash of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _ending(title: str) -> str:
    """Return the ending that a checkpoint keeps: letters and digits, of two parts where that is usual."""
    name = title.lower()
    known = next((ending for ending in LONG_ENDINGS if name.endswith(ending)), Path(name).suffix)
    return known if known.replace(".", "").isascii() and known.replace(".", "").isalnum() else ""


def keep_data(files: Sequence[Upload]) -> Path:
    """Keep an uploaded data set and return its file, or its folder where it came in several parquet files.

    Raises:
        DataError: another ending, too large, empty, or several files that are not all parquet.
    """
    parts = [_part(file, DATA_FORMS, DATA_MB, DataError) for file in files]
    if len(parts) == 1 and parts[0].suffix != ".parquet":
        part = parts[0]
        name = f"{part.digest[:NAME_LETTERS]}{part.suffix}"
        return _keep(name, part.title, lambda path: path.write_bytes(part.content))
    if not parts or any(part.suffix != ".parquet" for part in parts):
        raise DataError("Upload one .zip, one .npz, or the .parquet files of one data set; not a mixture of them.")
    if (total := sum(len(part.content) for part in parts)) > SET_MB * 1e6:
        raise DataError(f"The files have {total / 1e6:.0f} MB together; this server takes {SET_MB} MB.")
    named = {_place(part, number): part for number, part in enumerate(sorted(parts, key=lambda part: part.title))}
    digest = hashlib.sha256("".join(f"{name}{part.digest}" for name, part in named.items()).encode()).hexdigest()
    title = parts[0].title if len(parts) == 1 else f"{parts[0].title} and {len(parts) - 1} more"
    return _keep(f"{digest[:NAME_LETTERS]}.parquets", title, lambda folder: _write_all(folder, named))


def purge(in_use: Collection[str], now: float | None = None) -> int:
    """Remove uploads that nobody used for a month, then the oldest beyond the room there is; return how many.

    Args:
        in_use: paths that a run still refers to; they stay.
        now: seconds since 1970, for tests.
    """
    folder = uploads()
    if not folder.is_dir():
        return 0
    shown = [path for path in folder.iterdir() if not path.name.startswith(".") and str(path) not in in_use]
    oldest_first = sorted(shown, key=lambda path: path.stat().st_mtime)
    room = sum(_size(path) for path in folder.iterdir()) - KEPT_MB * 1e6
    removed = 0
    for path in oldest_first:
        too_old = (now or time.time()) - path.stat().st_mtime > KEPT_DAYS * 86_400
        if not too_old and room <= 0:
            break
        room -= _size(path)
        _remove(path)
        removed += 1
    return removed


def _part(upload: Upload, forms: Sequence[str] | None, limit_mb: int, refusal: type[ZspagError]) -> _Part:
    """Check one file's size, and its name where its ending counts; the browser's own checks can be got round."""
    title = safe_title(upload.name)
    suffix = _ending(title) if forms is None else Path(title).suffix.lower()
    if forms is not None and suffix not in forms:
        raise refusal(f"{title}: expected a file that ends in {', '.join(forms)}.")
    content = upload.getbuffer()
    if len(content) > limit_mb * 1e6:
        raise refusal(f"{title} has {len(content) / 1e6:.0f} MB; this server takes files of at most {limit_mb} MB.")
    if not len(content):
        raise refusal(f"{title} is empty.")
    return _Part(content, hashlib.sha256(content).hexdigest(), suffix, title)


def safe_title(name: str) -> str:
    """Return what a file may be called on the screen: no path, no control characters, not long."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(letter for letter in last if letter.isprintable()).strip()
    stem, dot, suffix = plain.rpartition(".")
    return f"{stem[:TITLE_LETTERS]}{dot}{suffix[:12]}" if dot else plain[:TITLE_LETTERS] or "file"


def _place(part: _Part, number: int) -> str:
    """Return the name of a parquet file within its folder; the reader tells the splits by the names' beginnings."""
    split = next((split for split in SPLITS if part.title.lower().startswith(split)), "part")
    return f"{split}-{number:04d}.parquet"


def _keep(name: str, title: str, write: Callable[[Path], object]) -> Path:
    """Write an upload unless the same bytes are there already; a reader never sees half of it."""
    path, own = uploads() / name, own_store()
    if path.exists():
        os.utime(path)  # used just now
        _note_owner(path, title)
        return path
    partial = path.with_name(f".{name}.{secrets.token_hex(4)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(about_file(path), {"title": title})
        write(partial)
        if own is not None:
            own.check_upload(_size(partial))
        partial.replace(path)
    except OSError as error:
        if not path.exists():  # else another visitor with the same file was quicker
            raise DataError(f"{title} cannot be kept on the server: {error.strerror}.") from error
    finally:
        _remove(partial)
    _note_owner(path, title)
    return path


def _note_owner(path: Path, title: str) -> None:
    """Note that this visitor has brought an upload, where the dashboard is shared."""
    own = own_store()
    if own is not None:
        add_owner(path, own.visitor.id, title)


def _write_all(folder: Path, parts: dict[str, _Part]) -> None:
    """Write several files into a new folder."""
    folder.mkdir()
    for name, part in parts.items():
        (folder / name).write_bytes(part.content)


def _size(path: Path) -> float:
    """Return the bytes of a file or of all files of a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return float(sum(file.stat().st_size for file in files))


def _remove(path: Path) -> None:
    """Remove a file or folder, and what says how it was called."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    about_file(path).unlink(missing_ok=True)
