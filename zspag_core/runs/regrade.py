"""Grading a finished run later, with data that it was not made with: what its record left empty is filled in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.checkpoints import Checkpoint, load_checkpoint
from zspag_core.data.dataset import to_pixels
from zspag_core.devices import place, resolve_device
from zspag_core.errors import CheckpointError, UsageError
from zspag_core.files import finite, read_json, write_json
from zspag_core.groups import lacking, ungraded, without_parts
from zspag_core.metrics.deep import relearn
from zspag_core.metrics.grade import grade
from zspag_core.metrics.layers import report_layers
from zspag_core.metrics.predictions import outputs_of, outputs_of_pixels
from zspag_core.metrics.proxy_quality import knn_agreement
from zspag_core.progress import SILENT, Reporter
from zspag_core.runs import artifacts
from zspag_core.runs.assumptions import check_assumptions, load_for, with_names
from zspag_core.runs.config import RunConfig
from zspag_core.runs.grading import read_triggers, wants_relearning
from zspag_core.runs.report import DRIFT_IMAGES, NEIGHBOUR_IMAGES, describe_depth, describe_grade
from zspag_core.runs.samples import as_trained
from zspag_core.shipped import model_path
from zspag_core.subspace import empty_subspace

if TYPE_CHECKING:
    from zspag_core.data.dataset import DataSet
    from zspag_core.metrics.grade import Grade
    from zspag_core.models import Classifier

WHEN = ("before", "after")
CODE = "python:"
"""How the name of a network begins whose code is a file of its owner's."""


@dataclass(frozen=True)
class GradedRun:
    """A finished run, its models, what the original's file says, and the data that it is graded with now."""

    folder: Path
    config: RunConfig
    result: dict[str, Any]
    models: dict[str, Classifier]
    about: dict[str, Any]
    dataset: DataSet
    lacks: tuple[str, ...]

    @property
    def classes(self) -> tuple[int, ...]:
        """Return the forgotten classes."""
        return tuple(self.result["forget"])


def regrade(
    folder: Path,
    data: str,
    *,
    original: str = "",
    model: str | None = None,
    device: str = "auto",
    report: Reporter = SILENT,
) -> dict[str, Any]:
    """Grade both models of a finished run and complete its result.json and grading.safetensors.

    Everything that grading says is replaced by what these data say; estimates, history, what the method did and its
    model stay. What would need to look into the run while it ran stays null: figures by epoch, captured energy.

    Args:
        folder: of the run.
        data: name or path of data with what the run's own lacked.
        original: the model before unlearning; "" takes it from where the run did.
        model: whose code may be run, see :func:`open_finished`.
        device: where to compute.
        report: receives progress after every batch.

    Returns:
        The content of result.json.

    Raises:
        UsageError: no finished run, another original, or data that do not fit or lack the same.
    """
    run = open_finished(folder, data, original, model, device)
    if set(run.lacks) >= set(run.result.get("lacks", ())) and run.lacks:
        raise UsageError(f"data: expected images that the run's own data lack, got {data}: {ungraded(run.lacks)}")
    found = {when: _grade(run, when, report) for when in WHEN}
    known = found["before"].accuracy.acc_ut
    for when, figures in found.items():
        run.result[when] = describe_grade(figures, None)
        if wants_relearning(run.config.relearning, run.dataset, run.classes):
            steps = relearn(run.models[when], run.dataset, run.classes, known, seed=run.config.seed, report=report)
            run.result[when]["relearning"] = steps and steps.to_dict()
    run.result["mask"] = {"acc_rt": found["before"].mask_acc_rt}
    _complete_proxies(run)
    _complete_layers(run)
    _complete_backdoor(run)
    _complete_depth(run, data, found)
    run.result.update(lacks=list(run.lacks), graded_with=data)
    artifacts.save_arrays(folder / "grading.safetensors", artifacts.grading_arrays(*found.values()))
    result: dict[str, Any] = finite(run.result)
    write_json(folder / "result.json", result)
    return result


def open_finished(folder: Path, data: str, original: str, model: str | None, device: str) -> GradedRun:
    """Load a run and the data, and check that they belong together.

    Args:
        folder: of the run.
        data: name or path of the data.
        original: the model before unlearning; "" takes it from where the run did.
        model: "python:FILE.py:CALLABLE" where somebody named the network's code, "" where nobody did; None for a run
            whose record is our own, so that its word is good.
        device: where to compute.

    Raises:
        UsageError: no finished run, another original, data that do not fit, or a network whose code nobody named.
    """
    config, result = _records(folder)
    _check_code(config.model, model)
    checkpoint = with_names(_original(original or config.checkpoint, config), config.model_classes)
    unlearned = load_checkpoint(folder / "model.safetensors", model=config.model)
    if (unlearned.about.get("unlearned") or {}).get("from_sha256") != checkpoint.sha256:
        raise UsageError(f"run: {original or config.checkpoint} is not the model that the run in {folder} started from")
    dataset, forget = load_for(checkpoint, data, order=config.order), tuple(result["forget"])
    dataset = check_assumptions(checkpoint, dataset, data, config.order)
    lacks = lacking(dataset, forget)
    dataset = as_trained(without_parts(dataset, forget), checkpoint.about, forget)
    where = resolve_device(device)
    models = {"before": place(checkpoint.model, where), "after": place(unlearned.model, where)}
    return GradedRun(folder, config, result, models, checkpoint.about, dataset, lacks)


def _check_code(recorded: str, named: str | None) -> None:
    """Refuse to run a network's code because a run's folder names it, which may be anybody's.

    Raises:
        UsageError: the code was not named, or another network was.
    """
    if named is None or named == recorded or not (named or recorded.startswith(CODE)):
        return
    if recorded.startswith(CODE):
        raise UsageError(
            f"run: its network is {recorded}, code that is never run on a file's word: say --model {recorded}"
        )
    raise UsageError("--run: expected no --model beside it: the run says which")


def _records(folder: Path) -> tuple[RunConfig, dict[str, Any]]:
    """Return what a run was asked and what it says of itself."""
    try:
        config, result = read_json(folder / "config.json"), read_json(folder / "result.json")
        finished = result["after"] is not None
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"run: expected the folder of a run, got {folder}") from None
    if not finished:
        raise UsageError(f"run: expected a finished run, got {folder}, which was interrupted")
    return RunConfig.from_dict(config), result


def _original(path: str, config: RunConfig) -> Checkpoint:
    """Return the model that a run started from, read as the run read it."""
    if not model_path(Path(path)).exists():
        message = f"the model that the run started from is not at {path}, seen from here (--original says where)"
        raise CheckpointError(message)
    return load_checkpoint(path, model=config.model, **config.reading)


def _grade(run: GradedRun, when: str, report: Reporter) -> Grade:
    """Return the grade of one of the run's models."""
    return grade(run.models[when], run.dataset, run.classes, seed=run.config.seed, stages=not run.lacks, report=report)


def _complete_proxies(run: GradedRun) -> None:
    """Fill in how many of the run's proxies lie among real test images of their class."""
    about, path = run.result.get("proxies"), run.folder / "proxies.safetensors"
    if about is None or not path.exists() or not len(run.dataset.test):
        return
    from safetensors.torch import load_file

    proxies = load_file(path)
    generator = torch.Generator().manual_seed(run.config.seed)
    real = run.dataset.test.sample(NEIGHBOUR_IMAGES, generator)
    drawn = torch.randperm(len(proxies["labels"]), generator=generator)[:NEIGHBOUR_IMAGES]
    there = outputs_of(run.models["before"], real.images).features
    here = outputs_of_pixels(run.models["before"], proxies["images"][drawn].float()).features
    about["knn_agreement"] = knn_agreement(here, proxies["labels"][drawn], there, real.labels)


def _complete_depth(run: GradedRun, data: str, found: dict[str, Grade]) -> None:
    """Fill in what every stage says of these data."""
    before, after = (found[when].stages for when in WHEN)
    run.result["depth"] = describe_depth(before, after, run.dataset, run.classes, seed=run.config.seed, data=data)


def _complete_backdoor(run: GradedRun) -> None:
    """Fill in how often the trigger works, where the original was trained with one."""
    triggered = read_triggers(run.about, run.dataset, *(run.models[when] for when in WHEN))
    if triggered is not None:
        run.result["backdoor"] = triggered.to_dict()
        artifacts.save_arrays(run.folder / "backdoor.safetensors", artifacts.backdoor_arrays(triggered))


def _complete_layers(run: GradedRun) -> None:
    """Fill in how far the layers' outputs drift on real remaining test images."""
    real = run.dataset.test.without_classes(run.classes)
    if run.result.get("subspace") is None or not len(real):
        return
    pixels = to_pixels(real.sample(DRIFT_IMAGES, torch.Generator().manual_seed(run.config.seed)).images)
    before, after = (run.models[when] for when in WHEN)
    none = pixels[:0]
    reports = report_layers(before, after, empty_subspace(before), none, torch.zeros(0, dtype=torch.int64), pixels)
    drifts = {layer.name: layer.drift_real for layer in reports}
    for layer in run.result["subspace"]["layers"]:
        layer["drift_real"] = drifts[layer["name"]]
