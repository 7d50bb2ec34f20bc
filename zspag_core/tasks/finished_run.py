"""A finished run, read back: both models, the data and what was forgotten."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zspag_core.compatibility import check_fit
from zspag_core.errors import UsageError
from zspag_core.files import read_json
from zspag_core.groups import without_parts
from zspag_core.jobs.folders import run_folder
from zspag_core.runs.assumptions import with_names
from zspag_core.runs.config import RunConfig
from zspag_core.runs.samples import as_trained
from zspag_core.tasks.model_cache import cached_checkpoint, cached_dataset

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from zspag_core.data import DataSet, Split
    from zspag_core.models import Classifier


@dataclass(frozen=True)
class FinishedRun:
    """What short tasks need to look into a run; everything in it is shared, nobody may change it.

    Attributes:
        folder: the run folder.
        config: what was asked.
        original: the model before, on the device.
        unlearned: the model after, on the device.
        dataset: the data set of the run, or that which it was graded with later; its training part as far as the
            original was trained on it.
        about: what the original model's file says of itself.
        sha256: digest of that file.
    """

    folder: Path
    config: RunConfig
    original: Classifier
    unlearned: Classifier
    dataset: DataSet
    about: Mapping[str, Any]
    sha256: str

    @property
    def shown(self) -> Split:
        """Return the images that pages show: the test split, or the images to forget where there are no others."""
        return self.dataset.test if len(self.dataset.test) else self.dataset.train.of_classes(self.config.classes)

    def arrays(self, name: str) -> dict[str, Tensor]:
        """Return the arrays of one of the run's files, by its name without ending; none where there is no file."""
        from safetensors.torch import load_file

        path = self.folder / f"{name}.safetensors"
        return load_file(path) if path.exists() else {}


def open_run(run: str, device: str = "auto") -> FinishedRun:
    """Load both models and the data of a run, or take them from memory.

    Args:
        run: id of the job.
        device: where the models shall be.

    Raises:
        UsageError: there is no such run, or the model it started from is another one now.
    """
    if not re.fullmatch(r"[0-9a-f]{8,64}", run):
        raise UsageError(f"run: expected the id of a run, got {run!r}")
    folder = run_folder(run)
    if not (folder / "model.safetensors").exists():
        raise UsageError(f"run: {run} has left no model")
    config = RunConfig.from_dict(read_json(folder / "config.json"))
    original = with_names(cached_checkpoint(config.checkpoint, device), config.model_classes)
    unlearned = cached_checkpoint(str(folder / "model.safetensors"), device)
    if unlearned.about["unlearned"]["from_sha256"] != original.sha256:
        raise UsageError(f"run: {config.checkpoint} is another model now than when the run started from it")
    dataset = cached_dataset(_data_of(folder, config), original)
    check_fit(original, dataset)
    dataset = as_trained(without_parts(dataset, config.classes), original.about, config.classes)
    return FinishedRun(folder, config, original.model, unlearned.model, dataset, original.about, original.sha256)


def _data_of(folder: Path, config: RunConfig) -> str:
    """Return the data that a run was graded with: its own, or those of a later grading."""
    path = folder / "result.json"
    result = read_json(path) if path.exists() else {}
    return str(result.get("graded_with") or config.data)
