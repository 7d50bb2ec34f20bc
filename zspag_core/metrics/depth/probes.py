"""What a fresh linear layer, or the nearest neighbours, find of the forgotten classes in a stage's features."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn import functional as F

from zspag_core.metrics.deep import probe_hits
from zspag_core.metrics.depth.stages import check_pair, standardised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

NEIGHBOURS = 10
ROWS = 500  # test images whose distances are held at once


class ProbeAccuracy(NamedTuple):
    """What is recognised, percent of the test images; None without any.

    Attributes:
        forget: of the forgotten classes.
        rest: of the remaining ones.
    """

    forget: float | None
    rest: float | None


def linear_probe(
    features_train: Tensor, labels_train: Tensor, features_test: Tensor, labels_test: Tensor, forget: Sequence[int]
) -> ProbeAccuracy:
    """Compute how well a linear probe on a stage's features finds the forgotten and the remaining classes.

    The probe is that of :func:`zspag_core.metrics.deep.probe`: multinomial logistic regression on standardised
    features.

    Args:
        features_train: (N, D) float64, of training images of all classes, equally many a class.
        labels_train: (N,) int64.
        features_test: (M, D) float64.
        labels_test: (M,) int64.
        forget: the forgotten classes.

    Returns:
        Two percentages; None with fewer than two classes to learn, or nobody to ask.

    Raises:
        ValueError: shapes do not fit or a feature is not finite.

    Source: Alain and Bengio, Understanding intermediate layers using linear classifier probes, 2017.
    """
    check_pair([features_train, features_test], [labels_train, labels_test])
    if len(torch.unique(labels_train)) < 2 or not len(labels_test):
        return ProbeAccuracy(None, None)
    train, test = standardised(features_train, features_test)
    return shares(probe_hits(train, labels_train, test, labels_test), labels_test, forget)


def neighbours(
    features_train: Tensor, labels_train: Tensor, features_test: Tensor, labels_test: Tensor, forget: Sequence[int]
) -> ProbeAccuracy:
    """Compute how well the 10 nearest training images name the class of a test image.

    Distances are Euclidean on standardised features; the class with most of the ten is the answer, and classes with
    equally many share it. Nothing is fitted, so nothing has to be linear.

    Args:
        features_train: (N, D) float64, of training images of all classes, equally many a class.
        labels_train: (N,) int64.
        features_test: (M, D) float64.
        labels_test: (M,) int64.
        forget: the forgotten classes.

    Returns:
        Two percentages; None with fewer than two classes to learn, or nobody to ask.

    Raises:
        ValueError: shapes do not fit or a feature is not finite.

    Source: the k-NN evaluation of Wu et al., Unsupervised feature learning via instance discrimination, 2018.
    """
    check_pair([features_train, features_test], [labels_train, labels_test])
    if len(torch.unique(labels_train)) < 2 or not len(labels_test):
        return ProbeAccuracy(None, None)
    train, test = standardised(features_train, features_test)
    classes = int(max(labels_train.max(), labels_test.max(), torch.tensor(-1))) + 1
    count = min(NEIGHBOURS, len(train))
    hits = []
    for rows, labels in zip(test.split(ROWS), labels_test.split(ROWS), strict=True):
        nearest = torch.cdist(rows, train).topk(count, largest=False).indices
        votes = F.one_hot(labels_train[nearest], classes).sum(dim=1)
        best = votes == votes.amax(dim=1, keepdim=True)
        hits.append(best.gather(1, labels[:, None]).squeeze(1).double() / best.sum(dim=1))
    return shares(torch.cat(hits), labels_test, forget)


def shares(hits: Tensor, labels: Tensor, forget: Sequence[int]) -> ProbeAccuracy:
    """Return the mean of hits (N,) on the forgotten and on the other classes, percent."""
    gone = torch.isin(labels, torch.tensor(list(forget), dtype=labels.dtype))
    forgotten, rest = (100 * float(part.double().mean()) if len(part) else None for part in (hits[gone], hits[~gone]))
    return ProbeAccuracy(forgotten, rest)
