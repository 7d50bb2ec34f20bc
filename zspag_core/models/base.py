"""What every classifier here has: a config, normalisation inside, an embedding and a linear head."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from zspag_core.data.resizing import Size


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes that rebuild a network; saved in the checkpoint's header.

    Attributes:
        num_classes: number of logits, 2 to 1,000.
        image_size: side of the square input in pixels.
        channels: 1 (grey) or 3 (RGB).
        mean: per-channel mean of pixels in [0, 1], subtracted inside the model.
        std: per-channel standard deviation of pixels in [0, 1], divided by inside the model.
    """

    num_classes: int = 10
    image_size: int = 32
    channels: int = 3
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.25, 0.25, 0.25)

    def __post_init__(self) -> None:
        """Check the sizes that every architecture shares."""
        if not 2 <= self.num_classes <= 1000:
            raise ValueError(f"num_classes: expected 2 to 1000, got {self.num_classes}")
        if self.channels not in {1, 3} or len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"channels: expected 1 or 3 with as many means and deviations, got {self.channels}")
        if not all(math.isfinite(value) for value in (*self.mean, *self.std)) or not all(v > 0 for v in self.std):
            raise ValueError(f"std: expected deviations above 0 beside means, got {self.std} beside {self.mean}")
        if not 8 <= self.image_size <= 1024:
            raise ValueError(f"image_size: expected 8 to 1024 pixels, got {self.image_size}")

    @property
    def source_name(self) -> str:
        """Which network of another library it is, for people; empty for one of our own architectures."""
        return ""

    @property
    def size(self) -> Size:
        """How an image becomes the input: the side of the square that it is stretched to."""
        return self.image_size

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values for a JSON header."""
        return asdict(self)


@dataclass(frozen=True)
class Writer:
    """A layer whose output is part of what becomes the features.

    Attributes:
        layer: linear, or a convolution without groups.
        norm: the BatchNorm that follows; None where the layer has a bias of its own.
    """

    layer: nn.Linear | nn.Conv2d
    norm: nn.BatchNorm2d | None = None


@dataclass(frozen=True)
class Stream:
    """A residual stream of tokens, which what is written is added to.

    Attributes:
        source: the module that is given the stream as it is before.
        norm: the norm of the sum; the features are the first token after it.
    """

    source: nn.Module
    norm: nn.LayerNorm


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put every module into evaluation mode and each back into the mode it had, whatever happens inside."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


class Classifier(nn.Module, ABC):
    """A network whose input is an image in pixel space and whose last layer is linear.

    Subclasses define `head` (an nn.Linear) and `embed`. Images are (N, C, H, W) float in [0, 1]; normalisation lives
    here, so that attacks clamp in the space that people see.
    """

    architecture: str
    finest_side: int = 6
    """Places a side of a GradCAM map below which it shows little more than a blob."""
    head: nn.Linear
    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig) -> None:
        """Keep the config and the normalisation, which is not part of the state_dict."""
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.tensor(config.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(1, -1, 1, 1), persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """Map pixels in [0, 1] to zero mean and unit deviation; shape (N, C, H, W) is kept."""
        return (images - self.mean) / self.std

    @abstractmethod
    def embed(self, images: Tensor) -> Tensor:
        """Return penultimate features (N, D) of images (N, C, H, W) in [0, 1]."""

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, num_classes) of images (N, C, H, W) in [0, 1]."""
        logits: Tensor = self.head(self.embed(images))
        return logits

    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, D) and logits (N, num_classes) of images (N, C, H, W) in [0, 1], in one pass."""
        features = self.embed(images)
        return features, self.head(features)

    @property
    def unmoved(self) -> Mapping[str, str]:
        """The weight layers that steps must leave as they are, by name -> why; none where every layer is seen whole."""
        return {}

    @property
    @abstractmethod
    def cam_layers(self) -> dict[str, nn.Module]:
        """Layers whose activations GradCAM can draw, from shallow to deep, by a name that a person can read."""

    @property
    def writers(self) -> tuple[Writer, ...]:
        """The layers whose outputs, summed, become the features; none where they come about in another way.

        By ReLU and a mean over places where there is no `stream`. See :mod:`zspag_core.narrowing`, which rewrites them.
        """
        return ()

    @property
    def additions(self) -> tuple[nn.BatchNorm2d, ...]:
        """The BatchNorms whose outputs later blocks add to what the writers have written, before a ReLU each."""
        return ()

    @property
    def stream(self) -> Stream | None:
        """The stream that the last writers add to; None where nothing is added to what they write."""
        return None

    @property
    def cam_reshape(self) -> Callable[[Tensor], Tensor] | None:
        """How to turn those activations into (N, C, h, w); None when they already are."""
        return None
