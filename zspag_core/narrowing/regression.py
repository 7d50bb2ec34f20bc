"""What the features shall carry, and the ridge regression that finds it in what enters a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zspag_core.devices import exact, exact_device

if TYPE_CHECKING:
    from zspag_core.models import Classifier

RIDGE = 1e-3  # of the inputs' mean square, added to their covariance
RANK_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Code:
    """What the features shall carry: z, the coordinates of the remaining logits less their mean.

    Attributes:
        axes: (R, m) float64, orthonormal columns that sum to zero: logits less their mean = axes @ z.
        writing: (D, m) float64: features = an offset + writing @ z.
        reading: (R, D) float64: reads the logits, less their mean, off such features.
    """

    axes: Tensor
    writing: Tensor
    reading: Tensor

    @classmethod
    def of(cls, model: Classifier, remaining: list[int]) -> Code:
        """Return the code that the remaining rows of the head read; features after a LayerNorm have no mean."""
        rows = exact(model.head.weight.detach()[remaining])
        if model.stream is not None:
            rows = rows - rows.mean(1, keepdim=True)
        differences = rows - rows.mean(0)
        axes, lengths, directions = torch.linalg.svd(differences, full_matrices=False)
        kept = lengths > RANK_TOLERANCE * lengths[0]
        axes, lengths, directions = axes[:, kept], lengths[kept], directions[kept]
        return cls(axes, directions.T / lengths, axes @ (lengths[:, None] * directions))

    @property
    def width(self) -> int:
        """Return m, the number of coordinates."""
        return self.axes.shape[1]

    def wanted(self, logits: Tensor) -> Tensor:
        """Return z (N, m) of remaining logits (N, R)."""
        return exact(logits) @ self.axes


@dataclass(frozen=True)
class Fitted:
    """z = weights @ inputs + offset.

    Attributes:
        weights: (m, all inputs) float64.
        offset: (m,) float64.
        spread: variance of z, all coordinates together.
        explained: share of the variance of z that this explains.
    """

    weights: Tensor
    offset: Tensor
    spread: float
    explained: float


class Moments:
    """Sums over images of what enters some layers, beside z: all that a ridge regression needs."""

    def __init__(self, inputs: int, code: Code, device: torch.device) -> None:
        self.inputs, size = inputs, inputs + code.width
        self.square = torch.zeros(size, size, dtype=torch.float64, device=exact_device(device))
        self.total, self.count = self.square.new_zeros(size), 0

    def add(self, entered: Tensor, wanted: Tensor) -> None:
        """Add (N, inputs) and the z (N, width) that belong to it."""
        joined = torch.cat([entered, wanted], dim=1)
        self.square += joined.T @ joined
        self.total += joined.sum(0)
        self.count += len(joined)

    @property
    def variances(self) -> Tensor:
        """Return the variance of every input, (inputs,)."""
        mean = self.total / self.count
        return (self.square.diagonal() / self.count - mean.square())[: self.inputs]

    def solve(self) -> Fitted:
        """Return the ridge regression of z."""
        mean, inputs = self.total / self.count, self.inputs
        covariance = self.square / self.count - torch.outer(mean, mean)
        own, cross, wanted = covariance[:inputs, :inputs], covariance[:inputs, inputs:], covariance[inputs:, inputs:]
        ridge = RIDGE * own.diagonal().mean() * torch.eye(inputs).to(own)
        weights = torch.linalg.solve(own + ridge, cross).T
        error = (wanted - 2 * weights @ cross + weights @ own @ weights.T).trace() / wanted.trace()
        return Fitted(weights, mean[inputs:] - weights @ mean[:inputs], float(wanted.trace()), 1 - float(error))
