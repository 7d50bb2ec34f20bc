"""Which layers write a stage's output, and which layer reads it first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from zspag_core.errors import UsageError
from zspag_core.models.resnet import Block, ResNet

if TYPE_CHECKING:
    from zspag_core.models import Classifier


@dataclass(frozen=True)
class Written:
    """A stage whose output is ReLU(main(y) + side(x)).

    Attributes:
        name: of the stage, as in `cam_layers`.
        main: 3x3 convolution and BatchNorm.
        side: 1x1 convolution and BatchNorm beside it, of the same output.
        reader: 1x1 convolution and BatchNorm that read the output first; None after the last stage.
    """

    name: str
    main: nn.Sequential
    side: nn.Sequential
    reader: nn.Sequential | None


def written_stages(model: Classifier) -> list[Written]:
    """Return the stages that can be erased, from input to output.

    Raises:
        UsageError: there is none: this network's stages are written in another way.
    """
    stages = list(model.stages) if isinstance(model, ResNet) else []
    blocks = [cast("Block", cast("nn.Sequential", stage)[-1]) for stage in stages]
    first = [cast("Block", cast("nn.Sequential", stage)[0]) for stage in stages]
    found = []
    for place, block in enumerate(blocks):
        main, side = cast("nn.Sequential", block.convs[-1]), block.shortcut
        if isinstance(side, nn.Sequential) and cast("nn.Conv2d", main[0]).kernel_size == (3, 3):
            reader = first[place + 1].shortcut if place + 1 < len(first) else None
            found.append(
                Written(f"stage {place + 1}", main, side, reader if isinstance(reader, nn.Sequential) else None)
            )
    if not found:
        raise UsageError(
            f"erase: expected a ResNet with a stage of one basic block that has a projection, got another "
            f"{model.architecture}"
        )
    return found


def folded(pair: nn.Sequential) -> tuple[Tensor, Tensor]:
    """Return weight and bias, float64, of a convolution together with its BatchNorm."""
    conv, norm = cast("nn.Conv2d", pair[0]), cast("nn.BatchNorm2d", pair[1])
    mean, variance = cast("Tensor", norm.running_mean), cast("Tensor", norm.running_var)
    gain = (norm.weight / (variance + norm.eps).sqrt()).detach().double()
    bias = norm.bias.detach().double() - gain * mean.double()
    return conv.weight.detach().double() * gain[:, None, None, None], bias


@torch.no_grad()
def overwrite(pair: nn.Sequential, weight: Tensor, bias: Tensor) -> None:
    """Give a convolution a weight and make its BatchNorm do nothing but add a bias."""
    conv, norm = cast("nn.Conv2d", pair[0]), cast("nn.BatchNorm2d", pair[1])
    conv.weight.copy_(weight)
    cast("Tensor", norm.running_mean).zero_()
    cast("Tensor", norm.running_var).fill_(1.0)
    norm.weight.fill_((1.0 + norm.eps) ** 0.5)
    norm.bias.copy_(bias)
