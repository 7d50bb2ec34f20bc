"""How much attention maps changed: the correlation of two stacks of maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

FLAT = 1e-6  # a map whose deviation is this small against its largest value is constant up to rounding


def map_correlations(before: Tensor, after: Tensor) -> tuple[float | None, ...]:
    """Compute Pearson's correlation of each pair of maps.

    Args:
        before: (N, h, w) float.
        after: (N, h, w) float.

    Returns:
        One figure in [-1, 1] per pair; None where either map is constant, as an empty GradCAM map is.

    Raises:
        ValueError: the stacks are not (N, h, w) or differ in shape.
    """
    if before.ndim != 3 or before.shape != after.shape:
        shapes = f"{tuple(before.shape)} and {tuple(after.shape)}"
        raise ValueError(f"maps: expected two stacks of one shape (N, h, w), got {shapes}")
    (left, left_flat), (right, right_flat) = (_centred(maps) for maps in (before, after))
    cosines = (left * right).sum(dim=1) / (left.norm(dim=1) * right.norm(dim=1))
    flat = left_flat | right_flat
    return tuple(None if skip else float(cosine) for cosine, skip in zip(cosines, flat.tolist(), strict=True))


def mean_correlation(before: Tensor, after: Tensor) -> float | None:
    """Compute the mean correlation over the pairs of maps that have one.

    Args:
        before: (N, h, w) float.
        after: (N, h, w) float.

    Returns:
        In [-1, 1]; None when no pair has a correlation.

    Raises:
        ValueError: the stacks are not (N, h, w) or differ in shape.
    """
    defined = [value for value in map_correlations(before, after) if value is not None]
    return sum(defined) / len(defined) if defined else None


def _centred(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return maps as rows of mean 0, (N, h·w) float64, and which of them are constant, (N,) bool."""
    rows = maps.detach().double().flatten(1)
    centred = rows - rows.mean(dim=1, keepdim=True)
    return centred, centred.abs().amax(dim=1) <= FLAT * rows.abs().amax(dim=1)
