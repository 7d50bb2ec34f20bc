"""Weights of another program as a checkpoint of ours, with the input that a person says they were trained on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.checkpoints import Checkpoint
    from zspag_core.progress import Reporter

OPEN = ("image_size", "mean", "std", "heads")
"""What a bare state_dict leaves open, as :func:`zspag_core.checkpoints.load_checkpoint` takes it."""


def adopt(config: Mapping[str, Any], report: Reporter = SILENT) -> dict[str, Any]:
    """Write a checkpoint anew, beside the old file, so that all who read it know what its weights do not show.

    Args:
        config: {"checkpoint": path, "told": {"image_size": pixels, "mean", "std": one number a channel for pixels in
            [0, 1], "heads": of a ViT}, "class_names": one name for each output, in their order (optional)}; what is
            not told stays as it was.
        report: told when the file is read and written.

    Returns:
        {"checkpoint": path of the new file; the same words about the same weights give the same name}

    Raises:
        CheckpointError: the file is refused, or what was told does not go with its weights.
        UsageError: not one name for each output, or one name twice.
    """
    from zspag_core.checkpoints import load_checkpoint, save_checkpoint
    from zspag_core.preparation import with_names

    path = Path(str(config["checkpoint"]))
    told = {name: config["told"][name] for name in OPEN if name in config["told"]}
    report.progress("load", 0, 2)
    loaded = with_names(load_checkpoint(path, **told), config.get("class_names"))
    report.progress("load", 1, 2)
    told = loaded.about.get("told", {}) | told
    assumed = {name: value for name, value in loaded.about.get("assumed", {}).items() if name not in told}
    said = [loaded.sha256, told, *([config["class_names"]] if config.get("class_names") else [])]
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    out = path.with_name(f"{digest[:20]}.safetensors")
    save_checkpoint(out, loaded.model, loaded.about | {"told": told, "assumed": assumed})
    report.progress("load", 2, 2)
    return {"checkpoint": str(out)}


def left_open(loaded: Checkpoint) -> dict[str, Any]:
    """Return what the weights of a checkpoint do not show, with what it counts as now; empty for a file of ours.

    Returns:
        {"image_size", "mean", "std", "heads": as far as they are open}
    """
    said = {**loaded.about.get("assumed", {}), **loaded.about.get("told", {})}
    return {name: getattr(loaded.model.config, name) for name in OPEN if name in said}
