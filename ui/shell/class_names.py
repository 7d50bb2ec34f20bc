"""The names of the classes of a run, from its configuration alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ui.shell.checkpoints import read_header
from zspag_core.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping


def names_of(config: Mapping[str, Any], count: int, folder: Path | None = None) -> tuple[str, ...]:
    """Return at least `count` names: as the model's file says, else what the run remembers, else numbers.

    Args:
        config: of the run; "all_names" is what the page knew where the file does not say.
        count: number of classes.
        folder: the run folder, whose model is asked where the original one is gone.
    """
    named = (
        tuple(config.get("all_names") or ())
        or _named(Path(str(config["checkpoint"])))
        or (_named(folder / "model.safetensors") if folder else ())
    )
    known = dict(enumerate(named)) | dict(zip(config["forget"], config.get("class_names") or (), strict=False))
    return tuple(str(known.get(label, label)) for label in range(max(count, len(named))))


def says_names(path: Path) -> bool:
    """Tell whether a checkpoint's own file gives its classes names that pages can read."""
    return bool(_named(path))


def _named(path: Path) -> tuple[str, ...]:
    """Return the names that a checkpoint gives its classes; none if it is gone or foreign."""
    try:
        return read_header(path).class_names
    except CheckpointError:
        return ()
