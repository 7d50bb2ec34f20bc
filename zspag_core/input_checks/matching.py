"""Which outputs of a model fit which classes best, and when one accuracy is clearly above another."""

from __future__ import annotations

import math

import torch
from torch import Tensor

CLEARLY, DEVIATIONS = 10.0, 3.0
"""A reading is clearly better by more percentage points than this and by more than so many standard errors."""


def best_matching(predicted: Tensor, labels: Tensor) -> tuple[float, dict[int, int]]:
    """Return the accuracy of the best one-to-one matching of classes to outputs, and the matching.

    It is chosen on one half of the images and counted on the other, both ways, so that chance gains nothing.

    Args:
        predicted: (N,) int64, outputs.
        labels: (N,) int64, classes.

    Returns:
        Percent, and class -> output of the matching on all images.
    """
    half = torch.arange(len(labels)) % 2 == 0
    right = 0
    for fitted, counted in ((half, ~half), (~half, half)):
        matching = _matching(predicted[fitted], labels[fitted])
        right += sum(
            int(matching.get(int(k), -1) == int(p)) for k, p in zip(labels[counted], predicted[counted], strict=True)
        )
    return 100 * right / max(1, len(labels)), _matching(predicted, labels)


def _matching(predicted: Tensor, labels: Tensor) -> dict[int, int]:
    """Return class -> output so that as many images as possible are read rightly."""
    from scipy.optimize import linear_sum_assignment

    if not len(labels):
        return {}
    size = 1 + int(torch.stack([predicted.max(), labels.max()]).max())
    counts = torch.zeros(size, size, dtype=torch.int64)
    counts.index_put_((labels, predicted), torch.ones_like(labels), accumulate=True)
    rows, columns = linear_sum_assignment(-counts.numpy())
    return {int(k): int(c) for k, c in zip(rows, columns, strict=True) if counts[k].sum() > 0}


def clearly_better(other: float, taken: float, count: int) -> bool:
    """Tell whether one accuracy in percent on so many images is clearly above another on the same number."""
    p = max(min((other + taken) / 200, 1.0), 0.0)
    error = 100 * math.sqrt(2 * p * (1 - p) / max(1, count))
    return other - taken > max(CLEARLY, DEVIATIONS * error)
