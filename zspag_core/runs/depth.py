"""The depth of forgetting of a finished run: measured later, and added to its record."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from zspag_core.checkpoints import load_checkpoint
from zspag_core.checkpoints.contents import default_limit_mb, read_contents
from zspag_core.devices import place, resolve_device
from zspag_core.errors import UsageError
from zspag_core.files import finite, write_json
from zspag_core.groups import GROUPS
from zspag_core.metrics.accuracy import percent
from zspag_core.metrics.catalogue import is_forgotten
from zspag_core.metrics.depth.ends import ORIGINAL, RETRAINED, UNLEARNED
from zspag_core.metrics.depth.full import measure_all
from zspag_core.metrics.depth.measure import measure_quickly
from zspag_core.metrics.predictions import logits_of
from zspag_core.progress import SILENT, Reporter
from zspag_core.runs.references import find_references
from zspag_core.runs.regrade import open_finished
from zspag_core.shipped import model_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.checkpoints import Checkpoint
    from zspag_core.data import DataSet
    from zspag_core.models import Classifier

QUICK = "quick"
EXTENTS = (QUICK, "all")
"""How much is measured: what is cheap, or everything."""


def measure_depth(
    folder: Path,
    data: str,
    extent: str,
    *,
    original: str = "",
    model: str | None = None,
    retrained: str = "",
    references: str = "",
    device: str = "auto",
    report: Reporter = SILENT,
) -> dict[str, Any]:
    """Measure how deep a finished run forgot, and write it into its result.json as "depth"; nothing else there changes.

    Args:
        folder: of the run.
        data: name or path of data with training and test images of all classes.
        extent: "quick" or "all".
        original: the model before unlearning; "" takes it from where the run did.
        model: whose code may be run, see :func:`zspag_core.runs.regrade.open_finished`.
        retrained: a model that never saw the classes, a file or the folder of a retraining run; "" for none.
        references: file of reference models of the data, for "all"; "" takes what ships for the original.
        device: where to compute.
        report: receives how far it is.

    Returns:
        The content of result.json.

    Raises:
        UsageError: no finished run, another original, a retrained model that saw the classes, references of other
            images, or data that lack images.
        DataError: the file of references cannot be read.
        UnlearningError: the models' features are not numbers.
    """
    run = open_finished(folder, data, original, model, device)
    check_images(run.lacks, data)
    models = {ORIGINAL: run.models["before"], UNLEARNED: run.models["after"]}
    if retrained:
        found_model = retrained_model(retrained, run.config.model, run.classes, run.config.reading)
        models[RETRAINED] = place(found_model.model, resolve_device(device))
        check_never_saw(found_model, run.dataset, run.classes, retrained)
    asked = models, run.dataset, run.classes, run.about
    found = measure(extent, *asked, seed=run.config.seed, references=references, report=report)
    run.result["depth"] = found | {"data": data, "extent": extent}
    result: dict[str, Any] = finite(run.result)
    write_json(folder / "result.json", result)
    return result


def measure(
    extent: str,
    models: Mapping[str, Classifier],
    dataset: DataSet,
    forget: Sequence[int],
    about: Mapping[str, Any],
    *,
    seed: int,
    references: str = "",
    report: Reporter = SILENT,
) -> dict[str, Any]:
    """Measure models as far as is asked: "quick", or "all", for which reference models are looked for.

    Args:
        extent: "quick" or "all".
        models: by role, see :func:`zspag_core.metrics.depth.measure.measure_quickly`.
        dataset: real images, for grading only.
        forget: the forgotten classes.
        about: what the original's file says of itself.
        seed: of the draws.
        references: file of reference models of the data; "" takes what ships for the original.
        report: receives how far it is.

    Returns:
        What :func:`zspag_core.metrics.depth.full.measure_all` returns.

    Raises:
        ValueError: another extent.
        UsageError: the references are of other images.
        DataError: their file cannot be read.
        UnlearningError: the models' features are not numbers.
    """
    if extent not in EXTENTS:
        raise ValueError(f"extent: expected one of {', '.join(EXTENTS)}, got {extent!r}")
    if extent == QUICK:
        return measure_quickly(models, dataset, forget, seed=seed, report=report)
    config = next(iter(models.values())).config
    known = find_references(references, about, config, dataset, forget, report)
    return measure_all(models, dataset, forget, seed=seed, references=known, report=report)


def check_images(lacks: Sequence[str], data: str) -> None:
    """Refuse data without what every measure of depth needs.

    Raises:
        UsageError: a group of images is lacking.
    """
    if lacks:
        raise UsageError(
            f"data: expected training and test images of all classes, got {data}, which has no {_listed(lacks)}"
        )


def retrained_model(
    path: str, model: str, classes: Sequence[int], reading: Mapping[str, Any] = MappingProxyType({})
) -> Checkpoint:
    """Return a model that never saw some classes, from its file or the folder of the run that made it.

    Args:
        path: of the file or folder.
        model: which network the weights are of, as for the run's own model.
        classes: that it never saw.
        reading: how the run's own model wants its images, as far as that was stated: a file of weights alone is read in
            the same way, a file of this program says it itself.

    Raises:
        UsageError: there is none, or by what its file says it did see one of them.
    """
    file = Path(path) / "model.safetensors" if (Path(path) / "result.json").exists() else model_path(Path(path))
    if not file.exists():
        raise UsageError(f"--retrained: expected a model's file or the folder of a run, got {path}, which is not there")
    says_itself = bool(reading) and file.exists() and read_contents(file, default_limit_mb()).header is not None
    checkpoint = load_checkpoint(file, model=model, **({} if says_itself else reading))
    check_excluded(checkpoint, classes, path)
    return checkpoint


def check_excluded(checkpoint: Checkpoint, classes: Sequence[int], path: str) -> None:
    """Refuse a model as the retrained one that by what its file says saw one of the classes.

    Raises:
        UsageError: it did.
    """
    excluded = _excluded(checkpoint)
    if excluded is not None and not set(classes) <= set(excluded):
        seen = ", ".join(str(k) for k in classes if k not in excluded)
        raise UsageError(f"--retrained: expected a model that never saw class {seen} (train --exclude), got {path}")


def check_never_saw(checkpoint: Checkpoint, dataset: DataSet, classes: Sequence[int], path: str) -> None:
    """Refuse a model as the retrained one that reads the classes, where its file does not say what it never saw.

    Raises:
        UsageError: it names one of the classes for more of their test images than counts as forgotten.
    """
    if _excluded(checkpoint) is not None or not len(seen := dataset.test.of_classes(classes)):
        return
    read = percent(logits_of(checkpoint.model, seen.images).argmax(1) == seen.labels)
    if read is not None and not is_forgotten(read):
        raise UsageError(
            f"--retrained: expected a model that never saw class {', '.join(str(k) for k in classes)}, got {path}, "
            f"which reads {read:.1f} % of its test images right"
        )


def _excluded(checkpoint: Checkpoint) -> Sequence[int] | None:
    """Return the classes that a model never saw, by what its file says; None where it does not say."""
    made = checkpoint.about.get("unlearned") or {}
    if made.get("method") == "retrain":
        forgotten: Sequence[int] = made["forget"]
        return forgotten
    if made:
        return ()
    excluded: Sequence[int] | None = checkpoint.about.get("excluded")
    return excluded


def _listed(lacks: Sequence[str]) -> str:
    """Name groups of images."""
    return " and no ".join(GROUPS[group] for group in lacks)
