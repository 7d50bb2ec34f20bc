"""AlexNet (Krizhevsky et al., 2012) with strides for small images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zspag_core.models.base import Classifier, ModelConfig, Writer


@dataclass(frozen=True, kw_only=True)
class AlexNetConfig(ModelConfig):
    """Sizes of an AlexNet.

    Attributes:
        widths: output channels of the five convolutions; max pooling follows the first, second and fifth.
        hidden: widths of the two fully connected layers.
        pooled: side of the map that reaches the fully connected layers.
        dropout: share of fully connected inputs dropped while training.
    """

    widths: tuple[int, int, int, int, int] = (64, 192, 384, 256, 256)
    hidden: tuple[int, int] = (1024, 1024)
    pooled: int = 2
    dropout: float = 0.5


class AlexNet(Classifier):
    """Five convolutions, three max poolings, two fully connected layers, linear head."""

    architecture = "alexnet"

    def __init__(self, config: AlexNetConfig) -> None:
        """Build the network that the config describes."""
        super().__init__(config)
        self.pooled, self.dropout = config.pooled, config.dropout
        inputs = (config.channels, *config.widths)
        sizes = (5, 5, 3, 3, 3)
        self.convs = nn.ModuleList(
            [nn.Conv2d(inputs[i], inputs[i + 1], sizes[i], padding=sizes[i] // 2) for i in range(5)]
        )
        self.relus = nn.ModuleList([nn.ReLU() for _ in range(5)])
        widths = (config.widths[-1] * config.pooled**2, *config.hidden)
        self.hidden = nn.ModuleList([nn.Linear(widths[i], widths[i + 1]) for i in range(2)])
        self.head = nn.Linear(widths[-1], config.num_classes)

    def embed(self, images: Tensor) -> Tensor:
        """Return the output of the last hidden layer, (N, hidden[-1])."""
        x = self.normalise(images)
        for index, (conv, relu) in enumerate(zip(self.convs, self.relus, strict=True)):
            x = relu(conv(x))
            if index in {0, 1, 4}:
                x = F.max_pool2d(x, 2)
        x = torch.flatten(F.adaptive_avg_pool2d(x, self.pooled), 1)
        for layer in self.hidden:
            x = F.relu(layer(F.dropout(x, self.dropout, training=self.training)))
        return x

    @property
    def writers(self) -> tuple[Writer, ...]:
        """The last hidden layer."""
        return (Writer(cast("nn.Linear", self.hidden[-1])),)

    @property
    def cam_layers(self) -> dict[str, nn.Module]:
        """The activation after every convolution."""
        return {f"conv {index}": relu for index, relu in enumerate(self.relus, start=1)}
