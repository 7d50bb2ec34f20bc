"""Linear-probe bits: how much a linear look at a stage's features tells of "forgotten class or not", in closed form."""

from __future__ import annotations

import math

import torch
from sklearn.covariance import ledoit_wolf
from torch import Tensor
from torch.nn import functional as F

from zspag_core.metrics.depth.stages import check_pair, standardised

FEWEST = 8  # images of either kind, to learn from and to ask about
FOLDS = 4
LEAST = 1e-9
"""Added to the variance of every direction, against 1 for a whole column: a direction without any can be divided by."""


def linear_bits(
    features_train: Tensor, forgotten_train: Tensor, features_test: Tensor, forgotten_test: Tensor, seed: int
) -> float | None:
    """Compute a lower bound, in bits, on what a stage's features say of whether an image is of a forgotten class.

    Both kinds count the same, so that 1 bit is all there is to know and 0 is nothing. The training images give Fisher's
    discriminant, with the shrunk covariance of Ledoit and Wolf; their scores by the discriminants of four folds, none
    of which saw them, say what a score tells, as two Gaussians of one variance. Test images are asked: 1 bit less their
    mean cross-entropy. No step is iterated. It is InfoNCE's bound with a linear critic that is not trained, the cheap
    companion of :func:`zspag_core.metrics.depth.information.information`.

    Args:
        features_train: (N, D) float64.
        forgotten_train: (N,) bool.
        features_test: (M, D) float64.
        forgotten_test: (M,) bool.
        seed: of the folds.

    Returns:
        Bits in [0, 1]; None with fewer than eight images of a kind.

    Raises:
        ValueError: shapes do not fit or a feature is not finite.

    Source: added here; the bound is Barber and Agakov's, The IM algorithm, 2003.
    """
    check_pair([features_train, features_test], [forgotten_train, forgotten_test])
    if fewest(forgotten_train, forgotten_test) < FEWEST:
        return None
    train, test = standardised(features_train, features_test)
    return max(0.0, bits_of(_evidence(train, forgotten_train, test, seed), forgotten_test))


def fewest(*groups: Tensor) -> int:
    """Return the number of the rarer kind, over some groups of marks (N,) bool."""
    return min(min(int(group.sum()), int((~group).sum())) for group in groups)


def bits_of(evidence: Tensor, forgotten: Tensor) -> float:
    """Return 1 bit less the cross-entropy of log-odds (M,) about marks (M,) bool, both kinds counting the same."""
    losses = F.softplus(torch.where(forgotten, -evidence, evidence)) / math.log(2)
    return 1 - float(losses[forgotten].mean() + losses[~forgotten].mean()) / 2


def _evidence(train: Tensor, marks: Tensor, test: Tensor, seed: int) -> Tensor:
    """Return the log-odds (M,) that test images are forgotten."""
    direction, scores = _discriminant(train, marks), _unseen_scores(train, marks, seed)
    yes, no = scores[marks], scores[~marks]
    variance = (yes.var() + no.var()) / 2 + torch.finfo(scores.dtype).tiny
    odds = (yes.mean() - no.mean()) / variance * (test @ direction - (yes.mean() + no.mean()) / 2)
    most = math.log(min(len(yes), len(no)) + 1)  # so many images tell no more
    return odds.clamp(-most, most)


def _unseen_scores(features: Tensor, marks: Tensor, seed: int) -> Tensor:
    """Return every image's score (N,) by the discriminant of the other folds."""
    generator = torch.Generator().manual_seed(seed)
    folds, scores = torch.empty(len(marks), dtype=torch.int64), torch.empty(len(marks), dtype=features.dtype)
    for kind in (True, False):
        count = int((marks == kind).sum())
        folds[marks == kind] = torch.randperm(count, generator=generator) % FOLDS
    for fold in range(FOLDS):
        out = folds == fold
        scores[out] = features[out] @ _discriminant(features[~out], marks[~out])
    return scores


def _discriminant(features: Tensor, marks: Tensor) -> Tensor:
    """Return Fisher's direction (D,) from one kind to the other."""
    yes, no = (features[marks == kind].mean(dim=0) for kind in (True, False))
    centred = features - torch.where(marks[:, None], yes, no)
    covariance, _ = ledoit_wolf(centred.numpy(), assume_centered=True)
    within = torch.from_numpy(covariance)
    within.diagonal().add_(LEAST)
    direction: Tensor = torch.linalg.solve(within, yes - no)
    length = direction.norm().clamp_min(torch.finfo(direction.dtype).tiny)
    return direction.div(length)
