"""The names of the classes of a run, from its configuration alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ui.checkpoints import read_header
from zspag_core.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping


def names_of(config: Mapping[str, Any], count: int) -> tuple[str, ...]:
    """Return at least `count` names: as the original model's file says, else what the run remembers, else numbers."""
    try:
        named = read_header(Path(str(config["checkpoint"]))).class_names
    except CheckpointError:
        named = ()
    known = dict(enumerate(named)) | dict(zip(config["forget"], config.get("class_names") or (), strict=False))
    return tuple(str(known.get(label, label)) for label in range(max(count, len(named))))
