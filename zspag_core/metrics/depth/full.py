"""Everything that is known of the depth of forgetting, in float64: takes minutes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.metrics.accuracy import percent
from zspag_core.metrics.depth.ends import ORIGINAL, RETRAINED, UNLEARNED, conclude
from zspag_core.metrics.depth.information import idi, information
from zspag_core.metrics.depth.kept import relearn_with_rest
from zspag_core.metrics.depth.measure import describe, look
from zspag_core.metrics.depth.nearby import over_unlearning
from zspag_core.metrics.depth.neighbourhood import class_attack
from zspag_core.metrics.depth.rates import true_positive_rates
from zspag_core.metrics.depth.sample import WHOLE, Sample, draw
from zspag_core.metrics.depth.u_lira import reach, u_lira
from zspag_core.metrics.predictions import LabelledLogits, logits_of
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.data.dataset import DataSet
    from zspag_core.metrics.depth.references import References
    from zspag_core.metrics.depth.stages import StageFeatures
    from zspag_core.models.base import Classifier

    Figures = dict[str, Any]

BORDER_IMAGES = 256


def measure_all(
    models: Mapping[str, Classifier],
    dataset: DataSet,
    forget: Sequence[int],
    *,
    seed: int,
    references: References | None = None,
    report: Reporter = SILENT,
) -> Figures:
    """Measure everything, in float64, on at most 6,000 images.

    Args:
        models: by role: "original", "unlearned" and, where there is one, "retrained".
        dataset: real images, for grading only.
        forget: the forgotten classes.
        seed: of the draws.
        references: of all images of the data set, for U-LiRA; None where there are none.
        report: receives how far it is, as stages "depth", "information" and "relearning".

    Returns:
        {"stages": names, "images": counts, "models": {role: {"probe", "probe_rest", "knn", "knn_rest", "bits",
        "information": one figure a stage, "prototypes": {shots: {"forget", "rest"}}, "rates": {rate: percent}, "kept":
        {"steps", "reached", "acc_rt"}, "class_attack": percent, "over_unlearning": nats, "u_lira": {"auc", "auc_ci",
        "found"} in percent}}, "cka": {pair of roles: {"forget", "rest": one figure a stage}}, "left": {measure: percent
        of the way from Retrain to Original}, "worst": {"measure", "stage", "share"}, "idi", "references": what they are
        and as "reach" how much they find in each other, or None, "precision", "seed", "seconds"}.

    Raises:
        UnlearningError: a feature is not a number, or the networks have other stages than each other.
    """
    start = time.perf_counter()
    sample = draw(dataset, forget, WHOLE, seed)
    seen = look(models, sample, torch.float64, report)
    found = describe(seen, sample, seed)
    known = _known(models[ORIGINAL], dataset, forget) if ORIGINAL in models else None
    logits = {role: _forgotten_logits(model, sample) for role, model in models.items()}
    for role, stages in seen.items():
        part = found["models"][role]
        part["information"] = _information(stages, sample, seed, report)
        part["rates"] = true_positive_rates(*logits[role])
        back = relearn_with_rest(models[role], dataset, forget, known, seed=seed, report=report)
        part["kept"] = back and back.to_dict()
        part["class_attack"] = _class_attack(role, logits, forget, seed)
        part["over_unlearning"] = _damage(models, role, dataset, forget)
        part["u_lira"] = references and _likelihood_ratio(logits[role], sample, references, seed)
    found["idi"] = _idi(found["models"])
    found["references"] = references and _described(references, sample)
    return conclude(found | {"precision": "float64", "seed": seed, "seconds": round(time.perf_counter() - start, 3)})


def _known(model: Classifier, dataset: DataSet, forget: Sequence[int]) -> float | None:
    """Return the accuracy of a model on the forgotten classes' test images, percent."""
    test = dataset.test.of_classes(forget)
    return percent(logits_of(model, test.images).argmax(1) == test.labels)


def _forgotten_logits(model: Classifier, sample: Sample) -> tuple[LabelledLogits, LabelledLogits]:
    """Return what a model says of the forgotten training and of the forgotten test images."""
    places = torch.nonzero(sample.forgotten).flatten()
    found = LabelledLogits(logits_of(model, sample.images[places]), sample.labels[places])
    seen = int((places < sample.learnt).sum())
    return found[:seen], found[seen:]


def _class_attack(
    role: str, logits: Mapping[str, tuple[LabelledLogits, LabelledLogits]], forget: Sequence[int], seed: int
) -> float | None:
    """Return how well a model is told from Retrain by its answers to forgotten test images; None for Retrain itself."""
    if role == RETRAINED or RETRAINED not in logits:
        return None
    return class_attack(logits[role][1].logits, logits[RETRAINED][1].logits, forget, seed=seed)


def _likelihood_ratio(
    logits: tuple[LabelledLogits, LabelledLogits], sample: Sample, references: References, seed: int
) -> Figures | None:
    """Return how well the original's training images of forgotten classes are told from test images by U-LiRA."""
    said = torch.cat([part.logits for part in logits])
    members = torch.arange(len(said)) < len(logits[0])
    found = u_lira(said, members, references.of(sample.places[sample.forgotten]), sample.forget, seed=seed)
    return None if found is None else found.to_dict()


def _described(references: References, sample: Sample) -> Figures:
    """Return what references are, and how much the attack finds in them of the forgotten classes."""
    asked = references.of(sample.places[sample.forgotten])
    return references.summary() | {"reach": reach(asked, sample.forget)}


def _damage(models: Mapping[str, Classifier], role: str, dataset: DataSet, forget: Sequence[int]) -> float | None:
    """Return OU@ε of a model against the original, None for that itself; on at most 256 test images."""
    if role == ORIGINAL or ORIGINAL not in models:
        return None
    forgotten = dataset.test.of_classes(forget)
    few = forgotten[torch.arange(min(BORDER_IMAGES, len(forgotten)))]
    return over_unlearning(models[ORIGINAL], models[role], few, forget)


def _information(stages: StageFeatures, sample: Sample, seed: int, report: Reporter) -> list[float | None]:
    """Return the information at every stage, bits."""
    gone, train, test = sample.forgotten, sample.train, sample.test
    return [information(part[train], gone[train], part[test], gone[test], seed, report) for part in stages.features]


def _idi(models: Mapping[str, Figures]) -> float | None:
    """Return the IDI of the unlearned model; None without both ends or where information is undefined."""
    if not {ORIGINAL, UNLEARNED, RETRAINED} <= models.keys():
        return None
    rows = [models[role]["information"] for role in (UNLEARNED, ORIGINAL, RETRAINED)]
    return None if any(figure is None for row in rows for figure in row) else idi(*rows)
