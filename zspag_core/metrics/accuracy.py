"""Accuracy on remaining and on forgotten classes, and what masking alone would give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from zspag_core.metrics.predictions import LabelledLogits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(frozen=True)
class Accuracy:
    """How often a classifier is right; None where there is no sample to ask about.

    Attributes:
        acc_rt: accuracy on samples of the remaining classes, percent.
        acc_ut: accuracy on samples of the forgotten classes, percent.
        loss_rt: mean cross-entropy on samples of the remaining classes, nats.
        acc_per_class: accuracy per class, percent.
    """

    acc_rt: float | None
    acc_ut: float | None
    loss_rt: float | None
    acc_per_class: tuple[float | None, ...]


def accuracy(logits: Tensor, labels: Tensor, forget_classes: Sequence[int]) -> Accuracy:
    """Compute accuracy on the remaining classes, on the forgotten ones, and on each class.

    Args:
        logits: (N, num_classes) float; -inf marks a masked class.
        labels: (N,) int64 in [0, num_classes).
        forget_classes: the classes to be forgotten; may be empty.

    Returns:
        Percentages, and the remaining classes' loss in nats.

    Raises:
        ValueError: shapes do not fit, a label or class is out of range, or a logit is NaN or +inf.

    Source: Acc_rt and Acc_ut of the ZS-PAG paper, section 4.1.
    """
    test = LabelledLogits(logits, labels)
    forget = check_classes(forget_classes, test.num_classes)
    forgotten, right = test.has_label(forget), test.logits.argmax(dim=1) == test.labels
    per_class = tuple(percent(right[test.labels == label]) for label in range(test.num_classes))
    loss = float(test.loss[~forgotten].mean()) if not bool(forgotten.all()) else None
    return Accuracy(percent(right[~forgotten]), percent(right[forgotten]), loss, per_class)


def mask_accuracy(logits: Tensor, labels: Tensor, forget_classes: Sequence[int]) -> float | None:
    """Compute Acc_rt of the trivial reference: the same model with the forgotten logits at -inf.

    Args:
        logits: (N, num_classes) float.
        labels: (N,) int64 in [0, num_classes).
        forget_classes: the classes whose logits are masked.

    Returns:
        Accuracy on the remaining classes in percent; None when there is no sample of them.

    Raises:
        ValueError: as in :func:`accuracy`.
    """
    forget = check_classes(forget_classes, logits.shape[-1])
    masked = logits.clone()
    masked[:, list(forget)] = -torch.inf
    test = LabelledLogits(masked, labels)
    right = test.logits.argmax(dim=1) == test.labels
    return percent(right[~test.has_label(forget)])


def check_classes(classes: Sequence[int], num_classes: int) -> tuple[int, ...]:
    """Return the classes sorted and without repeats.

    Raises:
        ValueError: a class is outside [0, num_classes).
    """
    wrong = [label for label in classes if not 0 <= label < num_classes]
    if wrong:
        raise ValueError(f"forget classes: expected 0 to {num_classes - 1}, got {', '.join(map(str, wrong))}")
    return tuple(sorted(set(classes)))


def percent(hits: Tensor) -> float | None:
    """Return the share of true values, (N,) bool, in percent; None when there are none to count."""
    return 100.0 * float(hits.double().mean()) if len(hits) else None
