"""What a model has forgotten before, by its file or the one that a run wrote beside it; without torch, for pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.errors import some_of
from zspag_core.runs.folder import UNLEARNED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

OURS = "model.safetensors"
"""What a run writes beside the model in its owner's container."""
NAMED = 6


def forgotten_before(about: Mapping[str, Any], path: Path | None = None) -> tuple[int, ...]:
    """Return the classes that a model has forgotten already, by number; none where nothing says so.

    Args:
        about: what the checkpoint says about itself.
        path: its file; of one that a run wrote in its owner's container our own beside it is asked.
    """
    made = about.get("unlearned")
    if made is None and path is not None and path.name.partition(".")[0] == UNLEARNED:
        from zspag_core.checkpoints.owners import about_of

        made = about_of(path.with_name(OURS)).get("unlearned")
    if not isinstance(made, dict):
        return ()
    known = [made.get("forget"), made.get("before")]
    numbers = {k for part in known if isinstance(part, list) for k in part if isinstance(k, int)}
    return tuple(sorted(numbers))


def already_forgotten(classes: Collection[int], names: Sequence[str]) -> str:
    """Say that a model has forgotten some of its classes already.

    Args:
        classes: by number; at least one.
        names: of all its classes.
    """
    return f"this model has already forgotten {some_of([names[k] for k in sorted(classes) if k < len(names)], NAMED)}"
