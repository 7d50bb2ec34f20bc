"""The owner's file behind a checkpoint that was written anew: as long as it lies beside it, the model can go back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.checkpoints.archives import safetensors_header
from zspag_core.checkpoints.kinds import is_safetensors
from zspag_core.checkpoints.loading import Checkpoint, digest_of, load_checkpoint
from zspag_core.checkpoints.saving import HEADER
from zspag_core.errors import CheckpointError, UsageError
from zspag_core.safety import refuse_code

if TYPE_CHECKING:
    from collections.abc import Mapping

READING = ("image_size", "mean", "std", "shorter_side", "interpolation", "heads")
"""What weights do not show, as :func:`zspag_core.checkpoints.load_checkpoint` takes it."""
OWNER = "owner"


def owner_record(path: Path, checkpoint: Checkpoint, model: str, entry: str | None) -> dict[str, Any]:
    """Return what a checkpoint that is written anew beside its owner's file remembers of that."""
    return {"file": path.name, "sha256": checkpoint.sha256, "model": model, "entry": entry}


def about_of(path: Path) -> dict[str, Any]:
    """Return what a checkpoint of ours says about itself; nothing for any other file. No weights are read."""
    if not path.is_file() or not is_safetensors(path):
        return {}
    try:
        about = json.loads(json.loads(safetensors_header(path))["__metadata__"][HEADER])["about"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return about if isinstance(about, dict) else {}


def owners_file(path: Path, about: Mapping[str, Any]) -> Path | None:
    """Return the owner's file beside a checkpoint that was made of it, None where it is gone or has changed."""
    owner = about.get(OWNER)
    if not isinstance(owner, dict):
        return None
    name = owner.get("file")
    if not isinstance(name, str) or not name or Path(name).name != name or name in {".", ".."}:
        return None
    file = path.with_name(name)
    return file if file.exists() and digest_of(file) == about[OWNER].get("sha256") else None


def owners_model(about: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return which network the owner's weights are of and which entry of the file was meant.

    Raises:
        UsageError: code of its owner, which is never run on a file's word.
    """
    owner = about.get(OWNER)
    if not isinstance(owner, dict):
        return "", None
    model, entry = owner.get("model"), owner.get("entry")
    refuse_code(model)
    return model if isinstance(model, str) else "", entry if isinstance(entry, str) else None


def stated_reading(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the input is prepared, as far as a person or the owner's files told it."""
    told = about.get("told")
    given = {name: told[name] for name in READING if name in told} if isinstance(told, dict) else {}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


def stated_fields(about: Mapping[str, Any]) -> frozenset[str]:
    """Return which fields of the reading a person stated; of a checkpoint that does not tell, all that were told."""
    stated = about.get("stated")
    return frozenset(str(name) for name in stated) if isinstance(stated, list) else frozenset(stated_reading(about))


def with_origin(checkpoint: Checkpoint, path: Path) -> Checkpoint:
    """Return a checkpoint that was written anew together with how its weights came from their owner.

    Args:
        checkpoint: read from `path`.
        path: its file.

    Returns:
        The same where it knows its origin or never had one; with a note where the owner's file is not there any more.
    """
    if checkpoint.origin is not None or OWNER not in checkpoint.about:
        return checkpoint
    gone = replace(checkpoint, notes=(*checkpoint.notes, "the owner's file is gone, so the model stays in this form"))
    file = owners_file(path, checkpoint.about)
    if file is None:
        return gone
    try:
        model, entry = owners_model(checkpoint.about)
        original = load_checkpoint(file, model=model, entry=entry, **stated_reading(checkpoint.about))
    except (CheckpointError, UsageError):
        return gone
    if original.origin is None or _shapes(original) != _shapes(checkpoint):
        return gone
    return replace(checkpoint, origin=original.origin, notes=(*original.notes, *checkpoint.notes))


def _shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of a model."""
    return {name: tuple(tensor.shape) for name, tensor in checkpoint.model.state_dict().items()}
