"""The classifier of points: three small hidden layers and a linear head."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zspag_core.models.base import Classifier, ModelConfig

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


@dataclass(frozen=True, kw_only=True)
class PlaneConfig(ModelConfig):
    """Sizes of a network whose "image" is a point: one row of two grey levels, (1, 1, 2).

    Attributes:
        hidden: widths of the hidden layers.
    """

    channels: int = 1
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.25,)
    hidden: tuple[int, ...] = (32, 32, 32)

    def __post_init__(self) -> None:
        """Check what a point's network has; its image is no square, so the checks of squares are left out."""
        if not 2 <= self.num_classes <= 1000:
            raise ValueError(f"num_classes: expected 2 to 1000, got {self.num_classes}")
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden: expected widths from 1, got {self.hidden}")


class PlaneNetwork(Classifier):
    """Linear layers with ReLU between them; in float32 on every machine, for two coordinates are few digits."""

    architecture = "plane"

    def __init__(self, config: PlaneConfig) -> None:
        """Build the network that the config describes."""
        super().__init__(config)
        widths = (2, *config.hidden)
        self.hidden = nn.ModuleList([nn.Linear(narrow, wide) for narrow, wide in pairwise(widths)])
        self.head = nn.Linear(widths[-1], config.num_classes)

    def embed(self, images: Tensor) -> Tensor:
        """Return the output of the last hidden layer, (N, hidden[-1]), of points (N, 1, 1, 2) in [0, 1]."""
        with in_full(images):
            return self._features(images)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, num_classes) of points (N, 1, 1, 2) in [0, 1]."""
        return self.both(images)[1]

    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and logits of points (N, 1, 1, 2) in [0, 1]."""
        with in_full(images):
            features = self._features(images)
            return features, self.head(features)

    def _features(self, images: Tensor) -> Tensor:
        x = self.normalise(images).flatten(1)
        for layer in self.hidden:
            x = F.relu(layer(x))
        return x

    @property
    def cam_layers(self) -> dict[str, nn.Module]:
        """None: there is no map in a point."""
        return {}


def in_full(images: Tensor) -> AbstractContextManager[object]:
    """Return a context without mixed precision: bfloat16 would tell no more than 256 places a side apart."""
    return torch.autocast(images.device.type, enabled=False)
