"""What result.json says about a run."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.batching import looked_at_once
from zspag_core.data.dataset import to_pixels
from zspag_core.hyperparameters import values
from zspag_core.metrics.depth.ends import ORIGINAL
from zspag_core.metrics.depth.ends import UNLEARNED as AFTER
from zspag_core.metrics.depth.measure import measure_graded
from zspag_core.metrics.estimates import estimate
from zspag_core.metrics.layers import report_layers
from zspag_core.metrics.predictions import outputs_of, outputs_of_pixels
from zspag_core.metrics.proxy_quality import knn_agreement
from zspag_core.runs.folder import UNLEARNED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.data.dataset import DataSet
    from zspag_core.methods import Unlearned
    from zspag_core.metrics.deep import Relearning
    from zspag_core.metrics.depth.stages import StageFeatures
    from zspag_core.metrics.grade import Grade
    from zspag_core.models import Classifier
    from zspag_core.runs.prepare import Prepared

DRIFT_IMAGES = 256
NEIGHBOUR_IMAGES = 1000


def describe_run(prepared: Prepared, run: Unlearned) -> dict[str, Any]:
    """Return what was asked and what the method says of its own work."""
    labels = run.labels
    return {
        "method": prepared.method.name,
        "config": values(prepared.method),
        "seed": prepared.config.seed,
        "device": str(prepared.device),
        "threads": torch.get_num_threads(),
        "forget": list(prepared.config.classes),
        "num_classes": prepared.dataset.num_classes,
        "lacks": list(prepared.lacks),
        "model": describe_model(prepared),
        "labels": labels
        and {
            "mode": labels.mode,
            "influence_before": labels.influence_before,
            "influence_after": labels.influence_after,
            "residual": labels.residual,
            "projected_share": labels.projected_share,
        },
        "stopped": run.stopped,
    }


def describe_model(prepared: Prepared) -> dict[str, Any]:
    """Return how the network was read, and where it goes back to its owner.

    Returns:
        {"origin": whose network, None for a file of ours; "told" and "assumed": how its input is prepared; "unmoved":
        layers that no step may move -> why; "returned": name of the file or folder in its owner's names, None for a
        file of ours; "left_out": what that file does not hold, in sentences}
    """
    checkpoint = prepared.checkpoint
    about, origin = checkpoint.about, checkpoint.origin
    return {
        "origin": about.get("origin"),
        "told": about.get("told") or {},
        "assumed": about.get("assumed") or {},
        "unmoved": dict(checkpoint.model.unmoved),
        "returned": None if origin is None else f"{UNLEARNED}{origin.container.suffix}",
        "left_out": [] if origin is None else list(origin.container.notes),
    }


def describe_grade(grade: Grade, relearning: Relearning | None) -> dict[str, Any]:
    """Return the figures of one model; relearning is null where it was not measured."""
    return {**grade.to_dict(), "relearning": relearning and relearning.to_dict()}


def describe_depth(
    before: StageFeatures | None,
    after: StageFeatures | None,
    dataset: DataSet,
    classes: Sequence[int],
    *,
    seed: int,
    data: str,
) -> dict[str, Any] | None:
    """Return the quick measures of depth, of what the stages said while both models were graded.

    Args:
        before: of the original; None where the data lack images for it or a stage's output was not a number.
        after: of the unlearned model, likewise.
        dataset: that they were graded on.
        classes: the forgotten ones.
        seed: of the grades.
        data: name or path of the data.

    Returns:
        None where one of the two is not known.
    """
    if before is None or after is None:
        return None
    found = measure_graded({ORIGINAL: before, AFTER: after}, dataset, classes, seed=seed)
    return found | {"data": data, "extent": "quick"}


def describe_estimates(model: Classifier, run: Unlearned, prepared: Prepared) -> dict[str, Any] | None:
    """Return what the forget images and the proxies alone say; None for data that has all that grading needs.

    What is said of the layers ("captured_energy") is left open, see :func:`describe_energy`.

    Args:
        model: the original.
        run: what the method came to; of a run that was cancelled "after" is None.
        prepared: the run.
    """
    if not prepared.lacks:
        return None
    models = {"before": model, "after": None if run.stopped == "cancelled" else run.model}
    found = {
        when: one and estimate(one, prepared.seen, prepared.held_out, run.proxies, prepared.config.seed)
        for when, one in models.items()
    }
    names = ("forget_accuracy", "held_out_accuracy", "proxy_agreement", "same_class")
    estimates: dict[str, Any] = {
        name: {when: figures and figures[name] for when, figures in found.items()} for name in names
    }
    return estimates | {"images": len(prepared.seen), "held_out": len(prepared.held_out), "captured_energy": None}


def describe_energy(subspace: dict[str, Any] | None) -> dict[str, float] | None:
    """Return how much of the proxies' energy the protected directions hold, by layers; None where nothing is said.

    Args:
        subspace: what :func:`describe_subspace` returned.
    """
    shares = [layer["captured_proxy"] for layer in (subspace or {"layers": ()})["layers"]]
    known = [share for share in shares if share is not None]
    return {"mean": fmean(known), "least": min(known)} if known else None


def describe_proxies(run: Unlearned, prepared: Prepared) -> dict[str, Any] | None:
    """Return what is said of the proxies, their neighbours left open; None where the method makes none."""
    if run.proxies is None:
        return None
    counts = run.proxies.per_class(prepared.dataset.num_classes)
    return {
        "attempted": run.proxies.attempted,
        "asr": run.proxies.asr,
        "confidence": float(run.proxies.confidence.mean()) if len(run.proxies) else None,
        "per_class": {str(k): n for k, n in enumerate(counts) if k not in prepared.config.classes},
        "knn_agreement": None,
    }


def describe_subspace(model: Classifier, run: Unlearned, prepared: Prepared) -> dict[str, Any] | None:
    """Compare the layers before and after, on proxies and, for grading only, on real remaining test images."""
    if run.subspace is None:
        return None
    generator = torch.Generator().manual_seed(prepared.config.seed)
    real = prepared.dataset.test.without_classes(prepared.config.classes).sample(DRIFT_IMAGES, generator)
    proxies = run.proxies.images if run.proxies is not None else to_pixels(real.images[:0])
    drawn = torch.randperm(len(proxies), generator=generator)[:DRIFT_IMAGES]
    labels = run.proxies.labels[drawn] if run.proxies is not None else drawn
    reports = report_layers(model, run.model, run.subspace, proxies[drawn], labels, to_pixels(real.images))
    return {
        "layers": [layer.to_dict() | {"rewritten": layer.name in run.rewritten} for layer in reports],
        "pooling": run.subspace.pooling or None,
        "unprotected": list(run.subspace.unprotected),
    }


def measure_agreement(model: Classifier, run: Unlearned, prepared: Prepared) -> float | None:
    """Return how many proxies lie among real test samples of their class, in percent (for grading only)."""
    if run.proxies is None or not len(run.proxies):
        return None
    generator = torch.Generator().manual_seed(prepared.config.seed)
    real = prepared.dataset.test.sample(NEIGHBOUR_IMAGES, generator)
    drawn = torch.randperm(len(run.proxies), generator=generator)[:NEIGHBOUR_IMAGES]
    there = outputs_of(model, real.images, batch_size=looked_at_once(model, real.images)).features
    here = outputs_of_pixels(model, run.proxies.images[drawn]).features
    return knn_agreement(here, run.proxies.labels[drawn], there, real.labels)
