"""What a classifier takes for what, counted from its outputs on test images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

DRAWN = 20
"""So many classes can be told apart in one picture."""


def confusion(labels: Array, logits: Array) -> NDArray[np.float64]:
    """Return how often each class is read as each other.

    Args:
        labels: (N,) int, the truth.
        logits: (N, K) float.

    Returns:
        (K, K), row = truth, column = answer, in percent of the row; a row without images is NaN.
    """
    count = logits.shape[1]
    counts = np.zeros((count, count))
    np.add.at(counts, (labels, logits.argmax(axis=1)), 1)
    total = counts.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = 100 * counts / np.where(total > 0, total, np.nan)
    return shares


def drawn_classes(matrices: Sequence[Array], forget: Sequence[int], limit: int = DRAWN) -> list[int]:
    """Return the classes that a picture of some matrices shows, ascending.

    All of them if they are few; else the forgotten ones, the answers that forgotten images get, and those that are
    most often mistaken or mistaken for.

    Args:
        matrices: confusion matrices (K, K) in percent.
        forget: the forgotten classes.
        limit: how many classes fit.
    """
    count = len(matrices[0])
    if count <= limit:
        return list(range(count))
    together = np.nan_to_num(np.stack(matrices)).sum(axis=0)
    wrong, into = together * (1 - np.eye(count)), together[list(forget)].sum(axis=0)
    weight = wrong.sum(axis=0) + wrong.sum(axis=1) + 2 * into
    weight[list(forget)] = np.inf
    return sorted(np.argsort(-weight, kind="stable")[:limit].tolist())


def changed_classes(
    before: Sequence[float | None], after: Sequence[float | None], forget: Sequence[int], limit: int = DRAWN
) -> list[int]:
    """Return the classes that a bar chart shows, ascending: all if few, else the forgotten and those that changed most.

    Args:
        before: accuracy per class in percent, None where unknown.
        after: the same, afterwards.
        forget: the forgotten classes.
        limit: how many classes fit.
    """
    if len(before) <= limit:
        return list(range(len(before)))
    change = np.array([abs((b or 0.0) - (a or 0.0)) for b, a in zip(before, after, strict=True)])
    change[list(forget)] = np.inf
    return sorted(np.argsort(-change, kind="stable")[:limit].tolist())


def mean_by_class(values: Array, truth: Array, classes: Sequence[int]) -> NDArray[np.float64]:
    """Return the mean rows (len(classes), K) of values (N, K) over the samples of each class; NaN without samples."""
    rows = [values[truth == label].mean(axis=0) if (truth == label).any() else np.full(values.shape[1], np.nan)
            for label in classes]  # fmt: skip
    return np.array(rows, dtype=np.float64)
