"""Everything that is known of the depth of forgetting, in float64: takes minutes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.metrics.depth.information import idi, information
from zspag_core.metrics.depth.measure import ORIGINAL, RETRAINED, UNLEARNED, conclude, describe, look
from zspag_core.metrics.depth.sample import WHOLE, Sample, draw
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.data.dataset import DataSet
    from zspag_core.metrics.depth.stages import Stages
    from zspag_core.models.base import Classifier

    Figures = dict[str, Any]


def measure_all(
    models: Mapping[str, Classifier],
    dataset: DataSet,
    forget: Sequence[int],
    *,
    seed: int,
    report: Reporter = SILENT,
) -> Figures:
    """Measure everything, in float64, on at most 6,000 images.

    Args:
        models: by role: "original", "unlearned" and, where there is one, "retrained".
        dataset: real images, for grading only.
        forget: the forgotten classes.
        seed: of the draws.
        report: told how far it is, as stages "depth" and "information".

    Returns:
        {"stages": names, "images": counts, "models": {role: {"probe", "probe_rest", "knn", "knn_rest", "bits",
        "information": one figure a stage, "prototypes": {shots: {"forget", "rest"}}}}, "cka": {pair of roles:
        {"forget", "rest": one figure a stage}}, "left": {measure: percent of the way from Retrain to Original},
        "worst": {"measure", "stage", "share"}, "idi", "precision", "seconds"}.

    Raises:
        UnlearningError: a feature is not a number, or the networks have other stages than each other.
    """
    start = time.perf_counter()
    sample = draw(dataset, forget, WHOLE, seed)
    seen = look(models, sample, torch.float64, report)
    found = describe(seen, sample, seed)
    for role, stages in seen.items():
        found["models"][role]["information"] = _information(stages, sample, seed, report)
    found["idi"] = _idi(found["models"])
    return conclude(found | {"precision": "float64", "seconds": round(time.perf_counter() - start, 3)})


def _information(stages: Stages, sample: Sample, seed: int, report: Reporter) -> list[float | None]:
    """Return the information at every stage, bits."""
    gone, train, test = sample.forgotten, sample.train, sample.test
    return [information(part[train], gone[train], part[test], gone[test], seed, report) for part in stages.features]


def _idi(models: Mapping[str, Figures]) -> float | None:
    """Return the IDI of the unlearned model; None without both ends or where information is undefined."""
    if not {ORIGINAL, UNLEARNED, RETRAINED} <= models.keys():
        return None
    rows = [models[role]["information"] for role in (UNLEARNED, ORIGINAL, RETRAINED)]
    return None if any(figure is None for row in rows for figure in row) else idi(*rows)
