"""Take off what a stage writes a multiple of a score, so that forget images' mean output is that of remaining ones."""

from __future__ import annotations

import copy
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zspag_core.data.dataset import to_pixels
from zspag_core.devices import device_of
from zspag_core.erasing.recall import BATCH, Disturbance, difference_at_reader
from zspag_core.erasing.written import Written, folded, overwrite, written_stages
from zspag_core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zspag_core.erasing.stand_ins import StandIns
    from zspag_core.models import Classifier

RIDGE = 1e-2  # of the inputs' mean square, added to their covariance
PLACES = 10  # drawn of an image's places to learn the score from
FARTHEST = 4.0  # deviations of a channel by which it is moved at most
SEARCH = 10  # secant steps a channel
NEAR = 1e-3  # of the difference, at which the search ends


@dataclass(frozen=True)
class Entered:
    """What enters a stage's two writing parts.

    Attributes:
        main: (N, C, h, w), into the convolution that is rewritten.
        side: (N, C', h', w'), into what is added to it; None where nothing is.
    """

    main: Tensor
    side: Tensor | None

    def split(self) -> list[tuple[Tensor, Tensor | None]]:
        """Return both in batches."""
        mains = self.main.split(BATCH)
        return list(zip(mains, self.side.split(BATCH) if self.side is not None else [None] * len(mains), strict=True))


@dataclass(frozen=True)
class Score:
    """A linear function of what enters convolutions: 1 on forget images, 0 on stand-ins, in the mean over places.

    Attributes:
        main: (1, C, k, k) float64.
        side: (1, C', 1, 1) float64; None where no convolution is beside.
        offset: taken off.
    """

    main: Tensor
    side: Tensor | None
    offset: float

    def of(self, entered: Entered, stride: int) -> Tensor:
        """Return the score at every place, (N, places) float32."""
        found = F.conv2d(entered.main, self.main.float(), padding=self.main.shape[-1] // 2)
        if self.side is not None and entered.side is not None:
            found = found + F.conv2d(entered.side, self.side.float(), stride=stride)
        return (found - self.offset).flatten(1)


@torch.no_grad()
def erase(
    model: Classifier,
    stage: str,
    images: Tensor,
    stand_ins: StandIns,
    *,
    strength: float = 1.0,
    share: float | None,
    disturbance: Disturbance,
    generator: torch.Generator,
) -> Classifier:
    """Return a copy in which a stage's mean output tells forget images from the remaining ones no more.

    Where a stage is followed by another, the remaining images' mean comes from its BatchNorm, else from the stand-ins;
    how it moves with the weights always comes from the stand-ins.

    Args:
        model: the classifier, in eval mode.
        stage: its name, one of :func:`written_stages`.
        images: (N, C, H, W) uint8 forget images.
        stand_ins: for the remaining classes.
        strength: share of the difference of means that is taken away, in [0, 1].
        share: of the training data that the forgotten classes were; None where layers above were taught since, whose
            statistics therefore say nothing.
        disturbance: what was done to images in training.
        generator: draws places and disturbances.

    Raises:
        UsageError: the stage cannot be erased.

    Source: erasure is Belrose et al., LEACE, 2023, which projects features; here weights are changed before a ReLU.
    """
    result = copy.deepcopy(model)
    written = _named(result, stage)
    own, other = entering(result, written, images), entering(result, written, stand_ins.images)
    score = discriminant(written, own, other, stand_ins.weights(), generator)
    gone, stays = _writing(written, own, score), _writing(written, other, score)
    weights = stand_ins.weights()
    goal = gone[0].relu().mean((0, 2)).double() - (stays[0].relu().mean(2) * weights[:, None]).sum(0).double()
    if written.reader is not None and share is not None:
        changed = entering(result, written, disturbance.apply(images, generator))
        goal = goal - difference_at_reader(written.reader, _strided_mean(written, changed), share)
    else:
        goal = torch.zeros_like(goal)
    taken = _amounts(gone, stays, weights, goal, strength)
    weight, bias = folded(written.main)
    overwrite(written.main, weight - taken[:, None, None, None] * score.main, bias + score.offset * taken)
    if score.side is not None:
        pair = cast("nn.Sequential", written.side)
        weight, bias = folded(pair)
        overwrite(pair, weight - taken[:, None, None, None] * score.side, bias)
    return result


def _named(model: Classifier, stage: str) -> Written:
    """Return the stage of that name."""
    known = {written.name: written for written in written_stages(model)}
    if stage not in known:
        raise UsageError(f"stage: expected one of {', '.join(known)}, got {stage!r}")
    return known[stage]


def _stride(written: Written) -> int:
    return written.side_conv.stride[0] if written.side_conv is not None else 1


def entering(model: Classifier, written: Written, images: Tensor) -> Entered:
    """Return what enters a stage's writing parts when a model looks at uint8 images."""
    mains, sides = list[Tensor](), list[Tensor]()

    def keep(seen: list[Tensor]) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        return lambda _module, inputs: seen.append(inputs[0].cpu())

    with ExitStack() as hooks, torch.no_grad():
        hooks.enter_context(written.conv.register_forward_pre_hook(keep(mains)))
        if written.side is not None:
            hooks.enter_context(written.side.register_forward_pre_hook(keep(sides)))
        for batch in images.split(BATCH):
            model.embed(to_pixels(batch, device_of(model)))
    return Entered(torch.cat(mains), torch.cat(sides) if sides else None)


def discriminant(written: Written, own: Entered, other: Entered, weights: Tensor, generator: torch.Generator) -> Score:
    """Return the ridge discriminant of forget images against stand-ins, from places drawn of every image.

    Args:
        written: the stage.
        own: what enters for forget images.
        other: the same for stand-ins.
        weights: (M,) of the stand-ins, together 1.
        generator: draws the places.
    """
    one, two = (_rows(written, part, generator) for part in (own, other))
    even = torch.full((len(one),), 1 / len(one), dtype=torch.float64)
    (mean, within), (rest, without) = _spread(one, even), _spread(two, weights.double())
    covariance = (within + without) / 2
    covariance.diagonal().add_(RIDGE * covariance.diagonal().mean())
    direction = torch.linalg.solve(covariance, mean - rest)
    direction = direction / (direction @ (mean - rest))
    shape = (1, *written.conv.weight.shape[1:])
    cut = written.conv.weight[0].numel()
    side = direction[cut:].view(1, -1, 1, 1) if written.side_conv is not None else None
    return Score(direction[:cut].view(shape), side, float(direction @ rest))


def _rows(written: Written, entered: Entered, generator: torch.Generator) -> Tensor:
    """Return patches at places drawn for all images together, (N, places, inputs) float64."""
    size, side = entered.main.shape[2] * entered.main.shape[3], written.conv.kernel_size[0]
    drawn = torch.randperm(size, generator=generator)[:PLACES]
    parts = [F.unfold(part, side, padding=side // 2)[:, :, drawn] for part in entered.main.split(BATCH)]
    rows = torch.cat(parts)
    if written.side_conv is not None and entered.side is not None:
        step = _stride(written)
        rows = torch.cat([rows, entered.side[:, :, ::step, ::step].flatten(2)[:, :, drawn]], dim=1)
    return rows.permute(0, 2, 1).double()


def _spread(rows: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean (inputs,) and covariance of rows (N, places, inputs), images weighted (N,)."""
    mean = (rows.mean(1) * weights[:, None]).sum(0)
    apart = ((rows - mean) * (weights / rows.shape[1]).sqrt()[:, None, None]).flatten(0, 1)
    return mean, apart.T @ apart


def _writing(written: Written, entered: Entered, score: Score) -> tuple[Tensor, Tensor]:
    """Return what a stage writes before its ReLU, (N, channels, places), and the score there, (N, places)."""
    sums = [written.write(*part).flatten(2) for part in entered.split()]
    return torch.cat(sums), score.of(entered, _stride(written))


def _strided_mean(written: Written, entered: Entered) -> Tensor:
    """Return a stage's mean output (channels,) float64 at the places that the next stage's 1x1 convolution reads."""
    step = cast("nn.Conv2d", cast("nn.Sequential", written.reader)[0]).stride[0]
    outputs = [written.write(*part).relu()[:, :, ::step, ::step] for part in entered.split()]
    return torch.cat(outputs).mean((0, 2, 3)).double()


def _amounts(
    gone: tuple[Tensor, Tensor], stays: tuple[Tensor, Tensor], weights: Tensor, goal: Tensor, strength: float
) -> Tensor:
    """Return how much of the score is taken off every channel, (channels,) float64.

    Args:
        gone: what is written for forget images and their scores.
        stays: the same for stand-ins.
        weights: (M,) of the stand-ins.
        goal: (channels,) by how much forget images' mean is to lie above the stand-ins' in the end.
        strength: share of the way there.
    """
    found = []
    for channel, wanted in enumerate(goal.tolist()):
        own, other = gone[0][:, channel], stays[0][:, channel]

        def apart(amount: float, own: Tensor = own, other: Tensor = other, wanted: float = wanted) -> float:
            above = (own - amount * gone[1]).relu().mean().double()
            below = ((other - amount * stays[1]).relu().mean(1) * weights).sum().double()
            return float(above - below) - wanted

        found.append(_solve(apart, strength, FARTHEST * float(torch.cat([own, other]).std())))
    return torch.tensor(found, dtype=torch.float64)


def _solve(apart: Callable[[float], float], strength: float, farthest: float) -> float:
    """Return where a function has come down by a share of what it is at 0: the best of some secant steps."""
    start = apart(0.0)
    goal = (1 - strength) * start
    before, value = 0.0, start - goal
    here = max(-farthest / 2, min(farthest / 2, 2 * strength * start))
    best = (abs(value), 0.0)
    for _ in range(SEARCH):
        now = apart(here) - goal
        best = min(best, (abs(now), here))
        if abs(now) <= NEAR * abs(start) or now == value:
            break
        ahead = here - now * (here - before) / (now - value)
        before, value, here = here, now, max(-farthest, min(farthest, ahead))
    return best[1]
