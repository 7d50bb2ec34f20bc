"""Second moments of rows that arrive in parts, and their leading eigenvectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zspag_core.devices import exact, exact_device

if TYPE_CHECKING:
    from collections.abc import Callable


class SecondMoment:
    """R Rᵀ of rows that arrive in parts; while there are fewer rows than dimensions, the rows themselves.

    Either way it takes at most dim x dim numbers a group, and its eigenvectors are the left singular vectors of R.
    """

    def __init__(self, groups: int, dim: int, device: torch.device) -> None:
        """Start with no rows."""
        self.dim = dim
        self.rows: Tensor | None = torch.zeros(groups, 0, dim, dtype=torch.float64, device=exact_device(device))
        self.gram: Tensor = torch.zeros(0)

    def add(self, rows: Tensor) -> None:
        """Take further rows (groups, n, dim)."""
        if self.rows is not None and self.rows.shape[1] + rows.shape[1] < self.dim:
            self.rows = torch.cat([self.rows, exact(rows)], dim=1)
            return
        self._collapse()
        self.gram += exact(rows.transpose(1, 2) @ rows)

    def merge(self, other: SecondMoment, scale: float) -> None:
        """Take the rows of another moment, their squares multiplied by `scale`."""
        if other.rows is not None:
            self.add(other.rows * scale**0.5)
            return
        self._collapse()
        self.gram += other.gram * scale

    @property
    def energy(self) -> Tensor:
        """Return the sum of squares per group, (groups,)."""
        if self.rows is not None:
            return self.rows.square().sum(dim=(1, 2))
        return self.gram.diagonal(dim1=1, dim2=2).sum(1)

    def matrix(self) -> Tensor:
        """Return R Rᵀ, (groups, dim, dim) float64."""
        return self.gram if self.rows is None else self.rows.transpose(1, 2) @ self.rows

    def leading(self, count: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """Return leading eigenvectors, from the smaller side of R.

        Args:
            count: eigenvalues (groups, m), largest first -> how many lead in each group, (groups,).

        Returns:
            Eigenvectors (groups, dim, r), zero columns where a group has fewer than r, and their numbers (groups,).
        """
        leading, _, counts = self.split(count)
        return leading, counts

    def split(self, count: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return the same with all other directions between both: (1, dim, dim - r), None where they are not known.

        They are where there is one group, and not fewer rows than dimensions.
        """
        rows = self.rows
        values, vectors = torch.linalg.eigh(self.gram if rows is None else rows @ rows.transpose(1, 2))
        counts = count(values.flip(1).clamp_min(0))
        widest = int(counts.max())
        others = vectors[:, :, : self.dim - widest] if rows is None and len(counts) == 1 else None
        vectors = vectors.flip(2)[:, :, :widest]
        if rows is not None:  # rows @ vectors are orthogonal already; dividing by their length would spoil short ones
            vectors = torch.linalg.qr(rows.transpose(1, 2) @ vectors).Q
        keep = torch.arange(widest, device=vectors.device) < counts[:, None]
        return vectors * keep[:, None, :], others, counts

    def _collapse(self) -> None:
        """Turn the rows into their Gram matrix."""
        if self.rows is not None:
            self.gram = self.rows.transpose(1, 2) @ self.rows
            self.rows = None
