"""What BatchNorm still knows of the remaining data: means and variances over all training images, less one class's."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from zspag_core.data.augment import crop_and_flip, cut_out
from zspag_core.data.dataset import to_pixels
from zspag_core.devices import device_of
from zspag_core.erasing.dry_run import dry_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from zspag_core.models import Classifier

BATCH = 125
LEAST, MOST = 0.2, 5.0  # a remaining variance lies between these multiples of the overall one


@dataclass(frozen=True)
class Disturbance:
    """How training images were changed: running statistics are those of changed images.

    Attributes:
        crop: largest shift in pixels.
        flip: whether half were mirrored.
        cutout: side of a blackened square.
    """

    crop: int = 4
    flip: bool = True
    cutout: int = 0

    def apply(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return changed copies of uint8 images, two of each."""
        twice = crop_and_flip(torch.cat([images, images]), padding=self.crop, flip=self.flip, generator=generator)
        return cut_out(twice, side=self.cutout, generator=generator)


def norms_of(model: Classifier) -> list[nn.BatchNorm2d]:
    """Return the BatchNorms of images that remember statistics and are called once a pass, in the modules' order."""
    seen = dry_run(model)
    return [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None and seen.calls[name] == 1
    ]


def rest_statistics(
    model: Classifier, images: Tensor, disturbance: Disturbance, *, share: float, generator: torch.Generator
) -> list[tuple[Tensor, Tensor]]:
    """Compute mean and variance of what enters every BatchNorm for undisturbed remaining images, without any.

    The running figures are of disturbed images of all classes. The difference of forget images to the remaining ones is
    therefore taken among disturbed ones and applied to the undisturbed.

    Args:
        model: the original classifier, in eval mode.
        images: (N, C, H, W) uint8 forget images.
        disturbance: what was done to images in training.
        share: of the training data that the forgotten classes were, in (0, 1).
        generator: of the disturbance.

    Returns:
        (mean, variance), each (channels,) float32, a BatchNorm.
    """
    if not 0 < share < 1:
        raise ValueError(f"share: expected a number between 0 and 1, got {share}")
    plain, changed = moments(model, images), moments(model, disturbance.apply(images, generator))
    return [_rest(*found, share) for found in zip(norms_of(model), plain, changed, strict=True)]


def _rest(norm: nn.BatchNorm2d, plain: Tensor, changed: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Return mean and variance of undisturbed remaining images; moments (2, channels): mean, mean square."""
    mean, variance = cast("Tensor", norm.running_mean).cpu().double(), cast("Tensor", norm.running_var).cpu().double()
    rest_mean = (mean - share * changed[0]) / (1 - share)
    rest_variance = (variance + mean.square() - share * changed[1]) / (1 - share) - rest_mean.square()
    own, own_changed = plain[1] - plain[0].square(), changed[1] - changed[0].square()
    found = own * (rest_variance / own_changed.clamp_min(1e-9)).clamp_min(0)
    return (plain[0] - changed[0] + rest_mean).float(), found.clamp(LEAST * variance, MOST * variance).float()


@torch.no_grad()
def show(model: Classifier, images: Tensor) -> None:
    """Let a classifier look at uint8 images, batch after batch, for the sake of what hooks see."""
    for batch in images.split(BATCH):
        model.embed(to_pixels(batch, device_of(model)))


@torch.no_grad()
def moments(model: Classifier, images: Tensor) -> list[Tensor]:
    """Return mean and mean square, (2, channels) float64, of what enters every BatchNorm."""
    norms = norms_of(model)
    sums = [torch.zeros(2, norm.num_features, dtype=torch.float64) for norm in norms]

    def add(place: int) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def hook(_norm: nn.Module, inputs: tuple[Any, ...]) -> None:
            found = inputs[0]
            sums[place] += torch.stack([found.mean((2, 3)).sum(0), found.square().mean((2, 3)).sum(0)]).cpu().double()

        return hook

    with ExitStack() as hooks:
        for place, norm in enumerate(norms):
            hooks.enter_context(norm.register_forward_pre_hook(add(place)))
        show(model, images)
    return [part / len(images) for part in sums]


def difference_at_reader(conv: nn.Conv2d, norm: nn.BatchNorm2d, changed: Tensor, share: float) -> Tensor:
    """Return how forget images' mean output of a stage differs from the remaining ones', (channels,) float64.

    The running mean of the 1x1 convolution that reads the stage is that convolution of the stage's mean; it has at
    least as many outputs as inputs, so the mean can be solved for.

    Args:
        conv: the 1x1 convolution.
        norm: its BatchNorm.
        changed: (channels,) float64, the stage's mean output for disturbed forget images where the reader looks.
        share: of the forgotten classes in training.
    """
    weight = conv.weight.detach().flatten(1).cpu().double()
    mean = cast("Tensor", norm.running_mean).cpu().double()
    if conv.bias is not None:
        mean = mean - conv.bias.detach().cpu().double()
    wanted = (weight @ changed - mean) / (1 - share)
    solved: Tensor = torch.linalg.lstsq(weight, wanted[:, None]).solution[:, 0]
    return solved
