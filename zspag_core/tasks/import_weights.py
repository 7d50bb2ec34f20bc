"""Weights of another program as a checkpoint of ours, with what a person says that they do not show."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.checkpoints import Checkpoint
    from zspag_core.jobs.records import Job
    from zspag_core.progress import Reporter

ABOUT_CLASSES = ("order", "classes")
"""What may be told of the classes: the order that was chosen, or that their names were given."""


def import_weights(job: Job, report: Reporter = SILENT) -> dict[str, Any]:
    """Write a checkpoint anew, beside the old file, so that all who read it know what its weights do not show.

    What was made of an owner's file before is made of that file again, as long as it is there.

    Args:
        job: its config is {"checkpoint": path, "model": which network it is, "entry": which one of the file, "told":
            {"image_size": pixels, "mean", "std": one number a channel for pixels in [0, 1], "heads": of a ViT,
            "shorter_side", "interpolation"}, "class_names": what the outputs are called, in their order, "order": how
            that order was chosen}; what is not told stays as it was.
        report: receives progress when the file is read and written.

    Returns:
        {"checkpoint": path of the new file; the same words about the same weights give the same name}

    Raises:
        CheckpointError, UsageError: the file is refused, or what was told does not go with its weights.
    """
    from zspag_core.checkpoints import save_checkpoint
    from zspag_core.checkpoints.owners import about_of

    path = Path(str(job.config["checkpoint"]))
    report.progress("load", 0, 2)
    before = about_of(path)
    loaded, owner = _read(path, before, job.config)
    report.progress("load", 1, 2)
    loaded = _with_classes(loaded, before, job.config)
    about = loaded.about | ({"owner": owner} if owner else {})
    facts = [loaded.sha256, owner, about.get("told"), about.get("class_names")]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    out = path.with_name(f"{digest[:20]}.safetensors")
    save_checkpoint(out, loaded.model, about)
    report.progress("load", 2, 2)
    return {"checkpoint": str(out)}


def _read(path: Path, before: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[Checkpoint, dict[str, Any] | None]:
    """Return the model as told now and before, and what the new file remembers of its owner's."""
    from zspag_core.checkpoints import load_checkpoint
    from zspag_core.checkpoints.owners import READING, owner_record, owners_file, owners_model
    from zspag_core.safety import refuse_code

    given = config.get("told", {})
    stated = {name: _plain(given[name]) for name in READING if name in given}
    file = owners_file(path, before)
    was = owners_model(before) if file is not None else ("", None)
    model, entry = str(config.get("model") or was[0]), config.get("entry") or was[1]
    refuse_code(model)
    if file is None and before:  # a file of ours, whose owner's is not there (any more)
        return _restated(load_checkpoint(path, **stated), stated), before.get("owner")
    if file is not None and model == was[0]:
        stated = _stated_before(before) | stated
    source = file or path
    loaded = load_checkpoint(source, model=model, entry=entry, **stated)
    record = None if loaded.origin is None else owner_record(source, loaded, model, entry)
    return loaded, record


def _stated_before(before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an earlier checkpoint of the same weights was told."""
    from zspag_core.checkpoints.owners import stated_reading

    return stated_reading(before)


def _restated(loaded: Checkpoint, stated: Mapping[str, Any]) -> Checkpoint:
    """Return a checkpoint of ours in which some things are not assumed any more."""
    assumed = {name: value for name, value in loaded.about.get("assumed", {}).items() if name not in stated}
    return replace(
        loaded, about=loaded.about | {"told": {**loaded.about.get("told", {}), **stated}, "assumed": assumed}
    )


def _with_classes(loaded: Checkpoint, before: Mapping[str, Any], config: Mapping[str, Any]) -> Checkpoint:
    """Return a checkpoint whose outputs are called as a person says now, or said before."""
    from zspag_core.runs.assumptions import with_names

    names, stated = config.get("class_names"), {"order": config.get("order") or ""}
    if names is None:
        earlier = before.get("told")
        stated = {name: earlier[name] for name in ABOUT_CLASSES if isinstance(earlier, dict) and name in earlier}
        names = before.get("class_names") if stated else None
    elif not stated["order"]:
        stated = {"classes": "named"}
    if names is None or (config.get("class_names") is None and len(names) != loaded.model.config.num_classes):
        return loaded
    named = with_names(loaded, names)
    return replace(named, about=named.about | {"told": {**named.about.get("told", {}), **stated}})


def _plain(value: Any) -> Any:  # noqa: ANN401 - a number, a word or numbers
    """Return numbers as a tuple, all else as it is."""
    return tuple(value) if isinstance(value, list) else value


def left_open(loaded: Checkpoint) -> dict[str, Any]:
    """Return what the weights of a checkpoint do not show, with what it counts as now; empty for a file of ours.

    Returns:
        {"image_size", "mean", "std", "shorter_side", "interpolation", "heads": as far as they are open}
    """
    from zspag_core.checkpoints.owners import READING

    said = {**loaded.about.get("assumed", {}), **loaded.about.get("told", {})}
    config = loaded.model.config
    return {name: getattr(config, name) for name in READING if name in said and hasattr(config, name)}
