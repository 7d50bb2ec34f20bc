"""CKA: how alike two networks see the same images, stage by stage."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from zspag_core.metrics.depth.stages import check_pair, standardised

if TYPE_CHECKING:
    from torch import Tensor

FEWEST = 8  # images


def cka(one: Tensor, two: Tensor) -> float | None:
    """Compute the centred kernel alignment of two sets of features of the same images.

    Linear kernel on standardised features, with the unbiased estimate of HSIC: few images of many dimensions would
    otherwise look alike by chance.

    Args:
        one: (N, D) float64.
        two: (N, E) float64, of the same images in the same order.

    Returns:
        At most 1, which means alike but for a rotation; about 0 where there is nothing in common. None with fewer than
        eight images, or where a set of features is constant.

    Raises:
        ValueError: shapes do not fit or a feature is not finite.

    Source: Kornblith et al., Similarity of neural network representations revisited, 2019; unbiased after Song et al.,
    Feature selection via dependence maximization, 2012, equation 5, as Nguyen et al., 2021, use it.
    """
    check_pair([one, two], [one[:, 0], one[:, 0]])
    if len(one) < FEWEST:
        return None
    kernels = [features @ features.T for (features,) in map(standardised, (one, two))]
    for kernel in kernels:
        kernel.fill_diagonal_(0)
    own = [_hsic(kernel, kernel) for kernel in kernels]
    if min(own) <= 0:
        return None
    return _hsic(kernels[0], kernels[1]) / math.sqrt(own[0] * own[1])


def _hsic(one: Tensor, two: Tensor) -> float:
    """Return the unbiased estimate of HSIC of two kernels (N, N) whose diagonals are 0."""
    count = len(one)
    sums = one.sum(dim=0), two.sum(dim=0)
    whole = float(sums[0].sum() * sums[1].sum()) / ((count - 1) * (count - 2))
    crossed = 2 * float(sums[0] @ sums[1]) / (count - 2)
    return (float((one * two).sum()) + whole - crossed) / (count * (count - 3))
