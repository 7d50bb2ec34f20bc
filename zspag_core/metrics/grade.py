"""Grading one model once: every figure of result.json from a single pass over what they need."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.batching import looked_at_once
from zspag_core.data.images import concat
from zspag_core.errors import UnlearningError
from zspag_core.metrics.accuracy import Accuracy, accuracy, check_classes, mask_accuracy
from zspag_core.metrics.deep import PROBE_IMAGES, balanced, probe
from zspag_core.metrics.depth.sample import QUICK, places
from zspag_core.metrics.depth.stages import StageFeatures, StageRecorder
from zspag_core.metrics.membership import LIMIT, Membership, MembershipScores, membership
from zspag_core.metrics.predictions import LabelledLogits, Outputs, outputs_of, placed
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from zspag_core.data.dataset import DataSet, Split
    from zspag_core.data.images import Pictures
    from zspag_core.models.base import Classifier

FORGET_IMAGES = 2000  # forgotten training images that the attacks are asked about, at most (about 1 point of error)


@dataclass(frozen=True)
class Grade:
    """All figures of one model, in percent where not said otherwise.

    Attributes:
        accuracy: on remaining classes, forgotten classes and each class.
        membership: the three membership inference figures.
        probe: accuracy of a linear probe on the forgotten classes; None where undefined or not asked for.
        mask_acc_rt: Acc_rt of the same model with the forgotten logits masked.
        scores: the outputs behind the membership figures, for histograms.
        tested: the logits of the whole test split, in its order, beside its labels.
        stages: what every stage says of the images that the quick measures of depth are drawn for, in that order,
            float32; None where it was not asked for.
    """

    accuracy: Accuracy
    membership: Membership
    probe: float | None
    mask_acc_rt: float | None
    scores: MembershipScores
    tested: LabelledLogits
    stages: StageFeatures | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that result.json has under "before" and "after", as plain values."""
        figures = asdict(self.accuracy)
        figures["acc_per_class"] = list(self.accuracy.acc_per_class)
        return {**figures, "mia": self.membership.to_dict(), "probe": self.probe}


def grade(
    model: Classifier,
    dataset: DataSet,
    forget_classes: Sequence[int],
    *,
    seed: int,
    device: torch.device | None = None,
    deep: bool = True,
    stages: bool = False,
    report: Reporter = SILENT,
) -> Grade:
    """Grade a model on a data set: accuracy, membership inference, deep forgetting and the masked reference.

    One pass over the whole test split and over seeded training images: at most 2,000 of the forgotten classes, 2,000 of
    the remaining ones and 3,000 for the probe, drawn so that they overlap.

    Args:
        model: the classifier; left as it was.
        dataset: real images, for grading only.
        forget_classes: the classes that were, or are to be, forgotten.
        seed: the same seed gives the same figures.
        device: where to compute; where the model is when None.
        deep: whether to fit the probe as well.
        stages: whether to keep what the stages say, for the measures of depth; the same pass serves it.
        report: receives progress after every batch, as stage "evaluate".

    Returns:
        The figures; those without samples to ask about are None.

    Raises:
        ValueError: a class is out of range.
        UnlearningError: the model's outputs are not numbers.
    """
    forget = check_classes(forget_classes, dataset.num_classes)
    order = _draw(dataset.train.labels, forget, seed)
    drawn = dataset.train[order]
    images, network = concat(drawn.images, dataset.test.images), placed(model, device)
    wanted = _for_depth(dataset, order, forget, seed) if stages else None
    outputs, recorder = _look(network, images, wanted, report)
    train, test = (Outputs(*(part[at] for part in outputs)) for at in (slice(len(drawn)), slice(len(drawn), None)))
    tested = _labelled(test, dataset.test)
    scores = _scores(_labelled(train, drawn), tested, forget)
    found = None
    if deep:
        found = probe(train.features, drawn.labels, test.features, dataset.test.labels, forget, seed)
    return Grade(
        accuracy(test.logits, dataset.test.labels, forget),
        membership(scores, seed=seed),
        found,
        mask_accuracy(test.logits, dataset.test.labels, forget),
        scores,
        tested,
        _stages(recorder, wanted),
    )


def count_graded(dataset: DataSet, forget_classes: Sequence[int], seed: int) -> int:
    """Return how many images :func:`grade` looks at."""
    return len(_draw(dataset.train.labels, tuple(forget_classes), seed)) + len(dataset.test)


def _draw(labels: Tensor, forget: tuple[int, ...], seed: int) -> Tensor:
    """Return the positions of the training images that are looked at, in random order.

    The first ones of each kind in one random order serve every purpose: whoever takes the first so many of a kind
    again (the attacks, the probe) gets a uniform draw, and the draws overlap.
    """
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    forgotten = torch.isin(labels[order], torch.tensor(forget, dtype=labels.dtype))
    retained = torch.nonzero(~forgotten).flatten()[:LIMIT]
    gone = torch.nonzero(forgotten).flatten()[:FORGET_IMAGES]
    return order[torch.unique(torch.cat([retained, gone, balanced(labels[order], PROBE_IMAGES)]))]


def _for_depth(dataset: DataSet, order: Tensor, forget: tuple[int, ...], seed: int) -> Tensor:
    """Return where, among graded images, those stand that the quick measures of depth are drawn for, in their order."""
    learnt, _, asked = places(dataset, forget, QUICK, seed)
    row = torch.empty(len(dataset.train), dtype=torch.int64)
    row[order] = torch.arange(len(order))
    return torch.cat([row[learnt], len(order) + asked])


def _look(
    network: Classifier, images: Pictures, wanted: Tensor | None, report: Reporter
) -> tuple[Outputs, StageRecorder | None]:
    """Return a network's outputs on images and what was recorded of the wanted ones, from one pass."""
    size = looked_at_once(network, images)
    if wanted is None:
        return outputs_of(network, images, batch_size=size, report=report), None
    marks = torch.zeros(len(images), dtype=torch.bool)
    marks[wanted] = True
    with StageRecorder(network, marks) as recorder:
        return outputs_of(network, images, compute=recorder.both, batch_size=size, report=report), recorder


def _stages(recorder: StageRecorder | None, wanted: Tensor | None) -> StageFeatures | None:
    """Return what the stages say of the wanted images, in their order; None where a stage's numbers are none."""
    if recorder is None or wanted is None:
        return None
    try:
        found = recorder.recorded(rounding=1e3 * torch.finfo(torch.float32).eps)
    except UnlearningError:  # the outputs are numbers all the same, and a grade is about them
        return None
    place = recorder.wanted.cumsum(0)[wanted] - 1
    return StageFeatures(found.names, tuple(part[place].float() for part in found.features))


def _labelled(outputs: Outputs, split: Split) -> LabelledLogits:
    """Return logits beside their labels.

    Raises:
        UnlearningError: a feature or a logit is not a number (-inf, which masks, is allowed for logits).
    """
    if not bool(outputs.features.isfinite().all()) or not bool((outputs.logits < torch.inf).all()):
        raise UnlearningError("the model cannot be graded: expected numbers as its outputs, got NaN or infinity")
    return LabelledLogits(outputs.logits, split.labels)


def _scores(train: LabelledLogits, test: LabelledLogits, forget: tuple[int, ...]) -> MembershipScores:
    """Sort outputs into the four groups that membership inference compares."""
    seen, new = train.has_label(forget), test.has_label(forget)
    return MembershipScores(train[~seen][:LIMIT], test[~new], train[seen][:FORGET_IMAGES], test[new])
