"""VGG (Simonyan and Zisserman, 2014), with BatchNorm and one linear layer for small images."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zspag_core.models.base import Classifier, ModelConfig, Writer

POOL = 0
VGG11 = (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL)


@dataclass(frozen=True, kw_only=True)
class VGGConfig(ModelConfig):
    """Sizes of a VGG.

    Attributes:
        layers: output channels of each 3x3 convolution; 0 stands for 2x2 max pooling.
        batch_norm: BatchNorm after every convolution.
        hidden: widths of the fully connected layers before the head.
        pooled: side of the map that the average pooling after the convolutions leaves.
        dropout: share of the outputs of fully connected layers dropped while training.
    """

    layers: tuple[int, ...] = VGG11
    batch_norm: bool = True
    hidden: tuple[int, ...] = ()
    pooled: int = 1
    dropout: float = 0.0


class VGG(Classifier):
    """3x3 convolutions and max pooling, adaptive average pooling, fully connected layers, linear head."""

    architecture = "vgg"

    def __init__(self, config: VGGConfig) -> None:
        """Build the network that the config describes."""
        super().__init__(config)
        if config.image_size < 2 ** config.layers.count(POOL):
            raise ValueError(f"layers: expected at least one pixel after every pooling, got {config.layers}")
        self.pooled, self.dropout = config.pooled, config.dropout
        modules: list[nn.Module] = []
        channels = config.channels
        for width in config.layers:
            if width == POOL:
                modules.append(nn.MaxPool2d(2))
                continue
            modules.append(nn.Conv2d(channels, width, 3, padding=1, bias=not config.batch_norm))
            modules += [nn.BatchNorm2d(width)] if config.batch_norm else []
            modules.append(nn.ReLU())
            channels = width
        self.convs = nn.Sequential(*modules)
        widths = [channels * config.pooled**2, *config.hidden]
        self.hidden = nn.ModuleList([nn.Linear(a, b) for a, b in pairwise(widths)])
        self.head = nn.Linear(widths[-1], config.num_classes)

    def embed(self, images: Tensor) -> Tensor:
        """Return the input of the head, (N, D)."""
        x = F.adaptive_avg_pool2d(self.convs(self.normalise(images)), self.pooled)
        x = torch.flatten(x, 1)
        for layer in self.hidden:
            x = F.dropout(F.relu(layer(x)), self.dropout, training=self.training)
        return x

    @property
    def writers(self) -> tuple[Writer, ...]:
        """The last hidden layer; else the last convolution, where only a mean over all places follows it."""
        if len(self.hidden):
            return (Writer(cast("nn.Linear", self.hidden[-1])),)
        if self.pooled != 1 or not isinstance(self.convs[-2], nn.BatchNorm2d):
            return ()
        return (Writer(cast("nn.Conv2d", self.convs[-3]), self.convs[-2]),)

    @property
    def cam_layers(self) -> dict[str, nn.Module]:
        """The activation after every convolution."""
        relus = [module for module in self.convs if isinstance(module, nn.ReLU)]
        return {f"conv {index}": relu for index, relu in enumerate(relus, start=1)}
