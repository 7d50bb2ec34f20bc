"""Take off what a stage writes a multiple of a score, so that forget images' mean output is that of remaining ones."""

from __future__ import annotations

import copy
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zspag_core.erasing.recall import BATCH, Disturbance, difference_at_reader, show
from zspag_core.erasing.written import HIGH, Written, folded, overwrite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from zspag_core.erasing.stand_ins import StandIns
    from zspag_core.models import Classifier

RIDGE = 1e-2  # of the inputs' mean square, added to their covariance
PLACES = 10  # drawn of an image's places to learn the score from
FARTHEST = 4.0  # deviations of a channel by which it is moved at most
SEARCH = 10  # secant steps a channel
NEAR = 1e-3  # of the difference, at which the search ends


@dataclass(frozen=True)
class Seen:
    """What a stage makes of N images.

    Attributes:
        entered: (N, C, h, w) into each convolution that writes it.
        before: (N, channels, places) before its activation.
    """

    entered: tuple[Tensor, ...]
    before: Tensor


@dataclass(frozen=True)
class Score:
    """A linear function of what enters convolutions: 1 on forget images, 0 on stand-ins, in the mean over places.

    Attributes:
        parts: a kernel (1, C, k, k) float64 for each convolution.
        offset: taken off.
    """

    parts: tuple[Tensor, ...]
    offset: float

    def of(self, entered: Sequence[Tensor], convs: Sequence[nn.Conv2d]) -> Tensor:
        """Return the score at every place, (N, places) float32, given what enters the convolutions."""
        found = [
            F.conv2d(inputs, part.float(), stride=conv.stride, padding=_padding(conv), dilation=conv.dilation)
            for inputs, part, conv in zip(entered, self.parts, convs, strict=True)
        ]
        return (sum(found[1:], found[0]) - self.offset).flatten(1)


@torch.no_grad()
def erase(
    model: Classifier,
    stage: Written,
    images: Tensor,
    stand_ins: StandIns,
    *,
    strength: float = 1.0,
    share: float | None,
    disturbance: Disturbance,
    generator: torch.Generator,
) -> Classifier:
    """Return a copy in which a stage's mean output tells forget images from the remaining ones no more.

    Where a 1x1 convolution with BatchNorm reads the stage, the remaining images' mean comes from there, else from the
    stand-ins; how it moves with the weights always comes from the stand-ins.

    Args:
        model: the classifier, in eval mode.
        stage: how it is written, in this classifier or one that it was made from; see :func:`last_stages`.
        images: (N, C, H, W) uint8 forget images.
        stand_ins: for the remaining classes.
        strength: share of the difference of means that is taken away, in [0, 1].
        share: of the training data that the forgotten classes were; None where layers above were taught since, whose
            statistics therefore say nothing.
        disturbance: what was done to images in training.
        generator: draws places and disturbances.

    Source: erasure is Belrose et al., LEACE, 2023, which projects features; here weights are changed before an
    activation.
    """
    result, activation = copy.deepcopy(model), stage.activation.apply
    convs = [pair.layers(result)[0] for pair in stage.writers]
    own, other = look(result, stage, images), look(result, stage, stand_ins.images)
    weights = stand_ins.weights()
    score = discriminant(convs, own.entered, other.entered, weights, generator)
    gone, stays = (own.before, score.of(own.entered, convs)), (other.before, score.of(other.entered, convs))
    goal = torch.zeros(own.before.shape[1], dtype=torch.float64)
    if stage.reader is not None and share is not None:
        conv, norm = stage.reader.layers(result)
        changed = _mean_read(result, conv, disturbance.apply(images, generator))
        means = activation(gone[0]).mean((0, 2)), (activation(stays[0]).mean(2) * weights[:, None]).sum(0)
        goal = means[0].double() - means[1].double() - difference_at_reader(conv, norm, changed, share)
    taken = _amounts(gone, stays, activation, weights, goal, strength)
    for place, (pair, part) in enumerate(zip(stage.writers, score.parts, strict=True)):
        weight, bias = folded(*pair.layers(result))
        offset = score.offset * taken if place == 0 else 0.0
        overwrite(*pair.layers(result), weight - taken[:, None, None, None] * part, bias + offset)
    return result


@torch.no_grad()
def look(model: Classifier, stage: Written, images: Tensor) -> Seen:
    """Return what a stage makes of uint8 images, before its activation.

    The first writer's bias is lifted so far that the activation changes nothing that is near 0 or above; the lift is
    taken off again. What lay further below is moved up to that, where activations are flat.
    """
    place = model.cam_layers[stage.name]
    convs = [pair.layers(model)[0] for pair in stage.writers]
    with hearing(place, outputs=True) as plain:
        show(model, images[:BATCH])
    lift = HIGH * float(plain[0].abs().max()) + stage.activation.high
    entered: list[list[Tensor]] = []
    with ExitStack() as hooks:
        hooks.enter_context(stage.lifted(model, lift))
        entered += [hooks.enter_context(hearing(conv)) for conv in convs]
        lifted = hooks.enter_context(hearing(place, outputs=True))
        show(model, images)
    before = torch.cat([part - lift for part in lifted]).flatten(2)
    return Seen(tuple(torch.cat(part) for part in entered), before)


@contextmanager
def hearing(module: nn.Module, *, outputs: bool = False) -> Iterator[list[Tensor]]:
    """Give a list that receives what enters a module, or what leaves it, on the CPU, while the block runs.

    Copies, for a network may go on in place.
    """
    heard: list[Tensor] = []

    def hook(_module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        heard.append((output if outputs else inputs[0]).detach().to("cpu", copy=True))

    with module.register_forward_hook(hook):
        yield heard


def _padding(conv: nn.Conv2d) -> tuple[int, int]:
    """Return a convolution's padding in numbers, as all have it that write a stage."""
    return cast("tuple[int, int]", conv.padding)


def discriminant(
    convs: Sequence[nn.Conv2d],
    own: Sequence[Tensor],
    other: Sequence[Tensor],
    weights: Tensor,
    generator: torch.Generator,
) -> Score:
    """Return the ridge discriminant of forget images against stand-ins, from places drawn of every image.

    Args:
        convs: the convolutions that write the stage.
        own: what enters each for forget images.
        other: the same for stand-ins.
        weights: (M,) of the stand-ins, together 1.
        generator: draws the places.
    """
    one, two = (_rows(convs, part, generator) for part in (own, other))
    even = torch.full((len(one),), 1 / len(one), dtype=torch.float64)
    (mean, within), (rest, without) = _spread(one, even), _spread(two, weights.double())
    covariance = (within + without) / 2
    covariance.diagonal().add_(RIDGE * covariance.diagonal().mean())
    direction = torch.linalg.solve(covariance, mean - rest)
    direction = direction / (direction @ (mean - rest))
    parts = direction.split([conv.weight[0].numel() for conv in convs])
    shaped = tuple(part.view(1, *conv.weight.shape[1:]) for part, conv in zip(parts, convs, strict=True))
    return Score(shaped, float(direction @ rest))


def _rows(convs: Sequence[nn.Conv2d], entered: Sequence[Tensor], generator: torch.Generator) -> Tensor:
    """Return what the convolutions read at places drawn for all images together, (N, places, inputs) float64."""
    drawn, found = None, list[Tensor]()
    for conv, inputs in zip(convs, entered, strict=True):
        cut = {"stride": conv.stride, "padding": _padding(conv), "dilation": conv.dilation}
        parts = []
        for batch in inputs.split(BATCH):
            patches = F.unfold(batch, conv.kernel_size, **cut)
            drawn = torch.randperm(patches.shape[2], generator=generator)[:PLACES] if drawn is None else drawn
            parts.append(patches[:, :, drawn])
        found.append(torch.cat(parts))
    return torch.cat(found, dim=1).permute(0, 2, 1).double()


def _spread(rows: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean (inputs,) and covariance of rows (N, places, inputs), images weighted (N,)."""
    mean = (rows.mean(1) * weights[:, None]).sum(0)
    apart = ((rows - mean) * (weights / rows.shape[1]).sqrt()[:, None, None]).flatten(0, 1)
    return mean, apart.T @ apart


def _mean_read(model: Classifier, conv: nn.Conv2d, images: Tensor) -> Tensor:
    """Return the mean (channels,) float64 of what a 1x1 convolution reads of uint8 images, where it looks."""
    rows, columns = conv.stride
    with hearing(conv) as read:
        show(model, images)
    return torch.cat([part[:, :, ::rows, ::columns] for part in read]).mean((0, 2, 3)).double()


def _amounts(
    gone: tuple[Tensor, Tensor],
    stays: tuple[Tensor, Tensor],
    activation: Callable[[Tensor], Tensor],
    weights: Tensor,
    goal: Tensor,
    strength: float,
) -> Tensor:
    """Return how much of the score is taken off every channel, (channels,) float64.

    Args:
        gone: what is written for forget images and their scores.
        stays: the same for stand-ins.
        activation: what follows.
        weights: (M,) of the stand-ins.
        goal: (channels,) by how much forget images' mean is to lie above the stand-ins' in the end.
        strength: share of the way there.
    """
    found = []
    for channel, wanted in enumerate(goal.tolist()):
        own, other = gone[0][:, channel], stays[0][:, channel]

        def apart(amount: float, own: Tensor = own, other: Tensor = other, wanted: float = wanted) -> float:
            above = activation(own - amount * gone[1]).mean().double()
            below = (activation(other - amount * stays[1]).mean(1) * weights).sum().double()
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
