"""Residual network (He et al., 2015) for small images, or with the ImageNet stem for imported weights."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from zspag_core.models.base import Classifier, ModelConfig, Writer


@dataclass(frozen=True, kw_only=True)
class ResNetConfig(ModelConfig):
    """Sizes of a ResNet.

    Attributes:
        widths: channels of each stage; every stage after the first halves the resolution.
        blocks: residual blocks per stage.
        bottleneck: 1x1-3x3-1x1 blocks with fourfold expansion instead of two 3x3 convolutions.
        imagenet_stem: 7x7 stride-2 convolution and max pooling instead of one 3x3 convolution.
        groups: groups of the 3x3 convolution in bottleneck blocks (ResNeXt).
        width_per_group: channels of such a group in a stage of width 64 (128 in a wide ResNet).
    """

    widths: tuple[int, ...] = (32, 64, 128)
    blocks: tuple[int, ...] = (2, 2, 2)
    bottleneck: bool = False
    imagenet_stem: bool = False
    groups: int = 1
    width_per_group: int = 64


def _conv_bn(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Return a bias-free convolution that keeps the resolution (at stride 1), followed by BatchNorm."""
    conv = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


def _conv_and_norm(made: nn.Module) -> tuple[nn.Module, nn.BatchNorm2d]:
    """Return the two modules that `_conv_bn` made."""
    conv, norm = cast("nn.Sequential", made)
    return conv, cast("nn.BatchNorm2d", norm)


class Block(nn.Module):
    """Convolutions whose output is added to their (possibly projected) input."""

    def __init__(self, inputs: int, width: int, stride: int, config: ResNetConfig) -> None:
        """Build a basic (3x3, 3x3) or bottleneck (1x1, 3x3, 1x1) block."""
        super().__init__()
        outputs = width * 4 if config.bottleneck else width
        inner, groups = width * config.width_per_group // 64 * config.groups, config.groups
        if inner == 0:
            raise ValueError(
                f"width_per_group: expected at least {-(-64 // width)} for width {width}, got {config.width_per_group}"
            )
        shapes = [(inputs, inner, 1, 1, 1), (inner, inner, 3, stride, groups), (inner, outputs, 1, 1, 1)]
        if not config.bottleneck:
            shapes = [(inputs, width, 3, stride, 1), (width, width, 3, 1, 1)]
        self.convs = nn.ModuleList([_conv_bn(*shape) for shape in shapes])
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else _conv_bn(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, h, w) to (N, outputs, h / stride, w / stride)."""
        y = x
        for conv in self.convs[:-1]:
            y = F.relu(conv(y))
        return F.relu(self.convs[-1](y) + self.shortcut(x))


class ResNet(Classifier):
    """Stem, stages of residual blocks, global average pooling, linear head."""

    architecture = "resnet"

    def __init__(self, config: ResNetConfig) -> None:
        """Build the network that the config describes."""
        super().__init__(config)
        if len(config.widths) != len(config.blocks):
            raise ValueError(f"blocks: expected one number per width, got {config.blocks} for {config.widths}")
        expansion = 4 if config.bottleneck else 1
        stem = config.widths[0]
        self.stem = (
            _conv_bn(config.channels, stem, 7, 2) if config.imagenet_stem else _conv_bn(config.channels, stem, 3)
        )
        self.pool = nn.MaxPool2d(3, stride=2, padding=1) if config.imagenet_stem else nn.Identity()
        inputs = [stem, *(width * expansion for width in config.widths)]
        self.stages = nn.ModuleList()
        for index, (before, after) in enumerate(pairwise(inputs)):
            width, stride = config.widths[index], 1 if index == 0 else 2
            stage = [Block(before, width, stride, config)]
            stage += [Block(after, width, 1, config) for _ in range(config.blocks[index] - 1)]
            self.stages.append(nn.Sequential(*stage))
        self.head = nn.Linear(inputs[-1], config.num_classes)

    def embed(self, images: Tensor) -> Tensor:
        """Return the pooled output of the last stage, (N, widths[-1] * expansion)."""
        x = self.pool(F.relu(self.stem(self.normalise(images))))
        for stage in self.stages:
            x = stage(x)
        features: Tensor = x.mean(dim=(2, 3))
        return features

    @property
    def writers(self) -> tuple[Writer, ...]:
        """The last convolution of the last block that does not hand its input on as it is, and its shortcut's."""
        writing, _ = self._last_blocks
        pairs = (part for block in writing for part in (block.convs[-1], block.shortcut))
        return tuple(Writer(cast("nn.Conv2d", conv), norm) for conv, norm in map(_conv_and_norm, pairs))

    @property
    def additions(self) -> tuple[nn.BatchNorm2d, ...]:
        """The last BatchNorm of every block after that one."""
        _, later = self._last_blocks
        return tuple(_conv_and_norm(block.convs[-1])[1] for block in later)

    @property
    def _last_blocks(self) -> tuple[list[Block], list[Block]]:
        """The last stage's last block whose shortcut is a projection, if there is one, and the blocks after it."""
        blocks = [cast("Block", block) for block in cast("nn.Sequential", self.stages[-1])]
        projecting = [place for place, block in enumerate(blocks) if not isinstance(block.shortcut, nn.Identity)]
        if not projecting:
            return [], []
        return [blocks[projecting[-1]]], blocks[projecting[-1] + 1 :]

    @property
    def cam_layers(self) -> dict[str, nn.Module]:
        """The output of every stage."""
        return {f"stage {index}": stage for index, stage in enumerate(self.stages, start=1)}
