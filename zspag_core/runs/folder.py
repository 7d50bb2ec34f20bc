"""The folder of a run: what it holds, when it may be written, how it appears under its name."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zspag_core.errors import UsageError
from zspag_core.files import check_writable, read_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ARRAYS = ("grading", "watch", "proxies", "labels", "backdoor")
UNLEARNED = "unlearned"
"""Name, without its ending, of the model in its owner's names and container."""
FILES = frozenset({"config.json", "result.json", "model.safetensors", *(f"{name}.safetensors" for name in ARRAYS)})
"""All that a run writes into its folder."""
HELD = "already holds something"
FINISHED = "holds a run that is finished already"
INTERRUPTED = "holds a run that was interrupted"


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `out` that takes its name when the block ends well."""
    partial, before = (out.with_name(f".{out.name}.{word}") for word in ("partial", "before"))
    for folder in (partial, before):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"out: {out} cannot be written: {error.strerror}") from error
    try:
        yield partial
        if out.exists():  # empty, or an interrupted attempt: see `check_out`
            out.rename(before)
        partial.rename(out)
        shutil.rmtree(before, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_out(out: Path, state: Path | None = None) -> None:
    """Refuse a folder that already holds something or cannot be made.

    Args:
        out: the folder.
        state: what an interrupted attempt kept; while it is there, the interrupted run in `out` may be replaced.

    Raises:
        UsageError: it exists and is not empty, or nothing can be written where it should be.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        held = _held_in(out)
        if held != INTERRUPTED or state is None or not state.is_dir():
            raise UsageError(f"out: expected a new or empty folder, got {out}, which {held}")
    check_writable(out)


def _held_in(out: Path) -> str:
    """Say what a folder that is not empty holds, or a file in its place: a run and nothing else, or anything else."""
    try:
        result = read_json(out / "result.json")
        others = {path.name for path in out.iterdir() if path.stem != UNLEARNED} - FILES
    except (OSError, ValueError):
        return HELD
    if others or not isinstance(result, dict) or not {"stopped", "after"} <= result.keys():
        return HELD
    return INTERRUPTED if result["after"] is None else FINISHED
