"""Training a classifier, as a job."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from zspag_core import files
from zspag_core.errors import UsageError
from zspag_core.training.run import TrainConfig, execute

if TYPE_CHECKING:
    from pathlib import Path

    from zspag_core.jobs.records import Job
    from zspag_core.progress import Reporter


def train(job: Job, report: Reporter) -> dict[str, Any]:
    """Train a classifier and write it under ZSPAG_HOME/checkpoints; an earlier attempt of the same job goes on."""
    config = job.config
    out = trained_file(str(config["name"]))
    settings = dict(config.get("settings", {})) | {"epochs": config["epochs"], "seed": config.get("seed", 0)}
    exclude = tuple(int(label) for label in config.get("exclude", ()))
    sizes = {name: config[name] for name in ("image_size", "device") if name in config}
    source_and_target = [int(label) for label in config.get("backdoor", ())]
    backdoor = (source_and_target[0], source_and_target[1]) if source_and_target else None
    asked = TrainConfig(str(config["data"]), str(config["model"]), settings, exclude, backdoor, **sizes)
    return {"checkpoint": str(out)} | execute(asked, out, report)


def trained_file(name: str) -> Path:
    """Return the file of a model that is trained under a name.

    Raises:
        UsageError: the name has other characters than letters, digits, hyphen and underscore, or too many.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", name):
        raise UsageError(f"name: expected up to 60 letters, digits, hyphens and underscores, got {name!r}")
    return files.home() / "checkpoints" / f"{name}.safetensors"
