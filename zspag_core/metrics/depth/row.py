"""What a row of a comparison keeps of a model's depth: every stage's figures, and their means over stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.metrics.depth.gap import mean_of_stages

if TYPE_CHECKING:
    from collections.abc import Mapping

BY_STAGE = ("probe", "probe_rest", "knn", "knn_rest", "bits")
MEANS = ("probe", "knn", "bits")


def row_depth(depth: Mapping[str, Any], role: str) -> dict[str, Any]:
    """Return one model's part of a measured depth, as plain values.

    Args:
        depth: what :func:`zspag_core.metrics.depth.measure.measure_quickly` returns, or the same with more measures.
        role: of the model: "original", "unlearned" or "retrained".

    Returns:
        {"stages": names, "probe", "probe_rest", "knn", "knn_rest", "bits": one figure a stage, "prototypes": {shots:
        {"forget", "rest"}}, "mean": {"probe", "knn", "bits": mean over stages, None where a stage has no figure}}.
    """
    part = depth["models"][role]
    figures = {key: list(part[key]) for key in BY_STAGE}
    means = {key: mean_of_stages(figures[key]) for key in MEANS}
    return {"stages": list(depth["stages"]), **figures, "prototypes": dict(part["prototypes"]), "mean": means}
