"""Prototypical relearning: how well a class is recognised again by a head that is rebuilt from a few of its images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zspag_core.metrics.depth.probes import ProbeAccuracy, shares
from zspag_core.metrics.depth.stages import check_pair, standardised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

SHOTS = (1, 5, 20)
DRAWS = 20


def prototypes(
    features_train: Tensor,
    labels_train: Tensor,
    features_test: Tensor,
    labels_test: Tensor,
    forget: Sequence[int],
    shots: int,
    seed: int,
) -> ProbeAccuracy:
    """Rebuild the head from class means, the forgotten ones' from a few images, and ask it.

    Every class has a row, its mean in standardised features, and an image is of the nearest one; the remaining classes'
    means are of all images given. The model's own head has no part in it. The published attack keeps the remaining rows
    and adds one for the class; here all are rebuilt, so that neither a masked row nor the scale of the head counts.

    Args:
        features_train: (N, D) float64, penultimate, of training images.
        labels_train: (N,) int64.
        features_test: (M, D) float64.
        labels_test: (M,) int64.
        forget: the forgotten classes.
        shots: images of each of them; a class with fewer gives all it has.
        seed: of 20 draws, whose mean is returned.

    Returns:
        Accuracy on the forgotten and on the remaining classes' test images, percent; None without any, or where a
        forgotten class has no training image.

    Raises:
        ValueError: shapes do not fit or a feature is not finite, or shots is not positive.

    Source: Ha et al., Unlearning's blind spots, ICML 2026 (prototypical relearning attack); means after Snell et al.,
    Prototypical networks, 2017.
    """
    check_pair([features_train, features_test], [labels_train, labels_test])
    if shots < 1:
        raise ValueError(f"shots: expected 1 or more, got {shots}")
    if not all(bool((labels_train == k).any()) for k in forget) or not len(labels_test):
        return ProbeAccuracy(None, None)
    train, test = standardised(features_train, features_test)
    generator = torch.Generator().manual_seed(seed)
    members = {k: torch.nonzero(labels_train == k).flatten() for k in torch.unique(labels_train).tolist()}
    lost = [k for k in members if k in forget]
    rest = [k for k in members if k not in forget]
    draws = [
        train[members[k][torch.randperm(len(members[k]), generator=generator)[:shots]]].mean(dim=0)
        for _ in range(DRAWS)
        for k in lost
    ]
    whole = [train[members[k]].mean(dim=0) for k in rest]
    distances = torch.cdist(test, torch.stack(whole + draws))
    to_rest, to_lost = distances[:, : len(rest)], distances[:, len(rest) :].unflatten(1, (DRAWS, len(lost)))
    rows = torch.cat([to_rest[:, None].expand(-1, DRAWS, -1), to_lost], dim=2)
    return shares(_hits(rows, torch.tensor(rest + lost), labels_test).mean(dim=1), labels_test, forget)


def _hits(distances: Tensor, classes: Tensor, asked: Tensor) -> Tensor:
    """Return which images (M, draws) are nearest to their own class's mean; equally near ones share the hit."""
    nearest = distances <= distances.amin(dim=2, keepdim=True) * (1 + 1e-9)
    hits: Tensor = (nearest & (classes == asked[:, None, None])).sum(dim=2).double() / nearest.sum(dim=2)
    return hits
