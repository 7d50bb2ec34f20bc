"""Residual network (He et al., 2015) for small images, or with the ImageNet stem for imported weights."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from zspag_core.models.base import Classifier, ModelConfig, Stream, Writer


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


def _norm_of(conv_bn: nn.Module) -> nn.BatchNorm2d:
    """Return the BatchNorm of what `_conv_bn` made."""
    return cast("nn.BatchNorm2d", cast("nn.Sequential", conv_bn)[1])


def _as_writer(conv_bn: nn.Module) -> Writer:
    """Return the two modules that `_conv_bn` made as a writer."""
    return Writer(cast("nn.Conv2d", cast("nn.Sequential", conv_bn)[0]), _norm_of(conv_bn))


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
        """The last block's last convolution and its shortcut's, if it has one.

        None where a block hands its input on as it is and nothing can be found that reads it or that it is made by.
        """
        block = self._last_blocks[-1]
        if isinstance(block.shortcut, nn.Identity):
            return () if self.stream is None else (_as_writer(block.convs[-1]),)
        return _as_writer(block.convs[-1]), _as_writer(block.shortcut)

    @property
    def stream(self) -> Stream | None:
        """What basic blocks of the last stage hand on as it is, from the first of them, whose shortcut is projected."""
        first, *others = self._last_blocks
        whole = [isinstance(block.shortcut, nn.Identity) for block in (first, *others)]
        if whole[0] or not others or cast("ResNetConfig", self.config).bottleneck:
            return None
        feeders = [first.convs[-1], first.shortcut, *(block.convs[-1] for block in others[:-1])]
        return Stream(
            source=others[-1],
            reader=_as_writer(others[-1].convs[0]),
            feeders=tuple(map(_norm_of, feeders)),
            listeners=tuple(_norm_of(block.convs[0]) for block in others),
        )

    @property
    def _last_blocks(self) -> list[Block]:
        """The blocks of the last stage."""
        return [cast("Block", block) for block in cast("nn.Sequential", self.stages[-1])]

    @property
    def cam_layers(self) -> dict[str, nn.Module]:
        """The output of every stage."""
        return {f"stage {index}": stage for index, stage in enumerate(self.stages, start=1)}
