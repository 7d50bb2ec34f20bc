"""The depth of forgetting of one run: every measure at every stage, of Original, Unlearned and Retrain."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.errors import UnlearningError
from zspag_core.metrics.depth.bits import linear_bits
from zspag_core.metrics.depth.ends import ORIGINAL, RETRAINED, UNLEARNED, conclude
from zspag_core.metrics.depth.likeness import cka
from zspag_core.metrics.depth.probes import linear_probe, neighbours
from zspag_core.metrics.depth.prototypes import SHOTS, prototypes
from zspag_core.metrics.depth.sample import QUICK, Sample, draw
from zspag_core.metrics.depth.stages import StageFeatures, stages_of
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.data.dataset import DataSet
    from zspag_core.models.base import Classifier

    Figures = dict[str, Any]

PAIRS = ((ORIGINAL, UNLEARNED), (UNLEARNED, RETRAINED), (ORIGINAL, RETRAINED))


def measure_quickly(
    models: Mapping[str, Classifier],
    dataset: DataSet,
    forget: Sequence[int],
    *,
    seed: int,
    report: Reporter = SILENT,
) -> Figures:
    """Measure what is cheap: probe, neighbours, bits, prototypes and CKA, in float32, on at most 1,600 images.

    Args:
        models: by role: "original", "unlearned" and, where there is one, "retrained".
        dataset: real images, for grading only.
        forget: the forgotten classes.
        seed: of the draws.
        report: receives progress after every batch, as stage "depth".

    Returns:
        What :func:`zspag_core.metrics.depth.full.measure_all` returns, without what takes long.

    Raises:
        UnlearningError: a feature is not a number, or the networks have other stages than each other.
    """
    start = time.perf_counter()
    sample = draw(dataset, forget, QUICK, seed)
    seen = look(models, sample, torch.float32, report)
    found = describe(seen, sample, seed)
    return conclude(found | {"precision": "float32", "seed": seed, "seconds": round(time.perf_counter() - start, 3)})


def measure_graded(
    stages: Mapping[str, StageFeatures], dataset: DataSet, forget: Sequence[int], *, seed: int
) -> Figures:
    """Measure the same of models that were graded with `stages`, without looking at an image again.

    Args:
        stages: by role; what :class:`zspag_core.metrics.grade.Grade` kept.
        dataset: that they were graded on.
        forget: the forgotten classes.
        seed: of the grades.

    Returns:
        As :func:`measure_quickly`, without seconds.

    Raises:
        UnlearningError: the networks have other stages than each other.
    """
    seen = {
        role: StageFeatures(found.names, tuple(part.double() for part in found.features))
        for role, found in stages.items()
    }
    _check_alike(seen)
    found = describe(seen, draw(dataset, forget, QUICK, seed), seed)
    return conclude(found | {"precision": "float32", "seed": seed})


def look(
    models: Mapping[str, Classifier], sample: Sample, dtype: torch.dtype, report: Reporter = SILENT
) -> dict[str, StageFeatures]:
    """Return every model's features at every stage.

    Raises:
        UnlearningError: the networks have other stages than each other.
    """
    seen = {role: stages_of(model, sample.images, dtype=dtype, report=report) for role, model in models.items()}
    _check_alike(seen)
    return seen


def _check_alike(seen: Mapping[str, StageFeatures]) -> None:
    """Refuse networks with other stages than each other."""
    names = {stages.names for stages in seen.values()}
    if len(names) > 1:
        listed = " and ".join(sorted(", ".join(stages) for stages in names))
        raise UnlearningError(f"depth: expected networks with the same stages, got {listed}")


def describe(seen: Mapping[str, StageFeatures], sample: Sample, seed: int) -> Figures:
    """Return what the cheap measures say of features that were looked at once."""
    first = next(iter(seen.values()))
    return {
        "stages": list(first.names),
        "images": sample.counts(),
        "models": {role: _figures(stages, sample, seed) for role, stages in seen.items()},
        "cka": {f"{a}_{b}": _likeness(seen[a], seen[b], sample) for a, b in PAIRS if a in seen and b in seen},
    }


def _figures(stages: StageFeatures, sample: Sample, seed: int) -> Figures:
    """Return what the cheap measures say of one model."""
    labels, gone, train, test = sample.labels, sample.forgotten, sample.train, sample.test
    figures: Figures = {name: [] for name in ("probe", "probe_rest", "knn", "knn_rest", "bits")}
    for features in stages.features:
        even = features[train][sample.even], labels[train][sample.even], features[test], labels[test], sample.forget
        for key, found in (("probe", linear_probe(*even)), ("knn", neighbours(*even))):
            figures[key].append(found.forget)
            figures[f"{key}_rest"].append(found.rest)
        figures["bits"].append(linear_bits(features[train], gone[train], features[test], gone[test], seed))
    last = stages.features[-1]
    figures["prototypes"] = {
        str(shots): prototypes(
            last[train], labels[train], last[test], labels[test], sample.forget, shots, seed
        )._asdict()
        for shots in SHOTS
    }
    return figures


def _likeness(one: StageFeatures, two: StageFeatures, sample: Sample) -> dict[str, list[float | None]]:
    """Return CKA of two models at every stage, on test images of the forgotten and of the remaining classes."""
    gone, test = sample.forgotten[sample.test], sample.test
    pairs = [(a[test], b[test]) for a, b in zip(one.features, two.features, strict=True)]
    return {kind: [cka(a[marks], b[marks]) for a, b in pairs] for kind, marks in (("forget", gone), ("rest", ~gone))}
