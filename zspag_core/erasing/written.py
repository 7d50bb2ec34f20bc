"""Which layers write a stage's output, and which layer reads it first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from zspag_core.errors import UsageError
from zspag_core.models.resnet import Block, ResNet
from zspag_core.models.vgg import VGG

if TYPE_CHECKING:
    from zspag_core.models import Classifier


@dataclass(frozen=True)
class Written:
    """A stage whose output is ReLU(main(y) + side(x)), or ReLU(main(y)).

    Attributes:
        name: of the stage, as in `cam_layers`.
        main: convolution and BatchNorm.
        side: what is added: 1x1 convolution and BatchNorm, the identity, or None for nothing.
        reader: 1x1 convolution and BatchNorm that read the output first; None where no such do.
        above: what comes after the stage and before the head.
    """

    name: str
    main: nn.Sequential
    side: nn.Sequential | nn.Identity | None
    reader: nn.Sequential | None
    above: tuple[nn.Module, ...] = ()

    @property
    def conv(self) -> nn.Conv2d:
        """The convolution that is rewritten."""
        return cast("nn.Conv2d", self.main[0])

    @property
    def side_conv(self) -> nn.Conv2d | None:
        """The convolution beside it, where there is one."""
        return cast("nn.Conv2d", self.side[0]) if isinstance(self.side, nn.Sequential) else None

    def write(self, main: Tensor, side: Tensor | None) -> Tensor:
        """Return what the stage writes before its ReLU, (N, channels, h, w), given what enters both parts."""
        device = self.conv.weight.device
        found: Tensor = self.main(main.to(device))
        if self.side is not None and side is not None:
            found = found + self.side(side.to(device))
        return found.cpu()


def written_stages(model: Classifier) -> list[Written]:
    """Return the stages that can be erased, from input to output.

    Raises:
        UsageError: there is none: this network has no BatchNorm, or its stages are written in another way.
    """
    if isinstance(model, ResNet):
        return _of_resnet(model)
    if isinstance(model, VGG) and any(isinstance(layer, nn.BatchNorm2d) for layer in model.convs):
        return _of_vgg(model)
    without = "" if any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules()) else " without BatchNorm"
    raise UsageError(
        "Stage-wise erasure: expected a ResNet or a VGG with BatchNorm, built as torchvision's are, for which "
        f"layers write a stage must be known, got {model.config.source_name or model.architecture}{without}"
    )


def _of_resnet(model: ResNet) -> list[Written]:
    """Return the stages of a ResNet: its last block writes each, the next stage's projection reads it."""
    stages = [cast("list[Block]", list(cast("nn.Sequential", stage))) for stage in model.stages]
    found = []
    for place, blocks in enumerate(stages):
        later = tuple(model.stages)[place + 1 :]
        reader = stages[place + 1][0].shortcut if later else None
        found.append(
            Written(
                f"stage {place + 1}",
                cast("nn.Sequential", blocks[-1].convs[-1]),
                blocks[-1].shortcut,
                reader if isinstance(reader, nn.Sequential) else None,
                later,
            )
        )
    return found


def _of_vgg(model: VGG) -> list[Written]:
    """Return the stages of a VGG: one a convolution, read by 3x3 convolutions, which see past the edge."""
    layers = list(model.convs)
    places = [place for place, layer in enumerate(layers) if isinstance(layer, nn.ReLU)]
    return [
        Written(
            f"conv {number}",
            nn.Sequential(layers[place - 2], layers[place - 1]),
            None,
            None,
            (*layers[place + 1 :], *model.hidden),
        )
        for number, place in enumerate(places, start=1)
    ]


def folded(pair: nn.Sequential) -> tuple[Tensor, Tensor]:
    """Return weight and bias, float64 on the CPU, of a convolution together with its BatchNorm."""
    conv, norm = cast("nn.Conv2d", pair[0]), cast("nn.BatchNorm2d", pair[1])
    mean, variance = cast("Tensor", norm.running_mean), cast("Tensor", norm.running_var)
    gain = (norm.weight / (variance + norm.eps).sqrt()).detach().cpu().double()
    bias = norm.bias.detach().cpu().double() - gain * mean.cpu().double()
    return conv.weight.detach().cpu().double() * gain[:, None, None, None], bias


@torch.no_grad()
def overwrite(pair: nn.Sequential, weight: Tensor, bias: Tensor) -> None:
    """Give a convolution a weight and make its BatchNorm do nothing but add a bias."""
    conv, norm = cast("nn.Conv2d", pair[0]), cast("nn.BatchNorm2d", pair[1])
    conv.weight.copy_(weight)
    cast("Tensor", norm.running_mean).zero_()
    cast("Tensor", norm.running_var).fill_(1.0)
    norm.weight.fill_((1.0 + norm.eps) ** 0.5)
    norm.bias.copy_(bias)
