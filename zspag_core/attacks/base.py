"""What every targeted attack shares: the checks, the loop, samples that leave the batch, and the record."""

from __future__ import annotations

import contextlib
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zspag_core.batching import images_at_once
from zspag_core.devices import laid_out, mixed_precision, plain_attention
from zspag_core.hyperparameters import knob
from zspag_core.models.base import evaluating
from zspag_core.progress import SILENT

if TYPE_CHECKING:
    from torch import nn

    from zspag_core.progress import Reporter

State = dict[str, Tensor]
"""Tensors whose first dimension is the batch. Every attack has clean, targets, image (the current point),
kept (the image to return), reached and confidence (of the kept image), and adds its own."""

SUREST = 1 - 2**-23  # the largest probability below 1 that float32 tells from it


@dataclass(frozen=True)
class Attacked:
    """The outcome of an attack.

    Attributes:
        images: (N, C, H, W) float in [0, 1], the attacked images.
        reached: (N,) int64, the class predicted for each attacked image.
        confidence: (N,) float, softmax probability of the target class.
        success: (N,) bool, whether the predicted class is the target.
        passes: images times (one forward and one backward) that it cost.
        checks: images that went forward only, with no backward.
    """

    images: Tensor
    reached: Tensor
    confidence: Tensor
    success: Tensor
    passes: int
    checks: int


@dataclass(frozen=True)
class TargetScores:
    """What the model says about the current images.

    Attributes:
        predicted: (n,) int64.
        confidence: (n,) float, softmax probability of the target; 0 where the logits are not finite.
        shortfall: (n,) float, see :meth:`Attack.shortfall`.
        done: (n,) bool, predicted as the target with the confidence asked for.
    """

    predicted: Tensor
    confidence: Tensor
    shortfall: Tensor
    done: Tensor


@dataclass(frozen=True, kw_only=True)
class Attack(ABC):
    """A targeted attack in pixel space; a subclass says only where to start, what to lower and how to step."""

    confidence: float = knob(
        0.99,
        "A sample is finished once it is predicted as its target with this probability; 1 means never before the end.",
        minimum=0.0,
        maximum=1.0,
    )
    batch_size: int = knob(
        0,
        "Images attacked at once; changes speed and memory only; 0 takes what suits the device.",
        minimum=0,
        unit="images",
    )

    mixed: bool = knob(
        default=False,
        help="Take gradients in bfloat16 where the device is built for it; what stays to the end is read in float32.",
    )

    def perturb(
        self,
        model: nn.Module,
        images: Tensor,
        targets: Tensor,
        *,
        generator: torch.Generator,
        report: Reporter = SILENT,
    ) -> Attacked:
        """Move every image until the model takes it for its target class.

        The model runs in eval mode; its modes, weights and gradients are as before afterwards, also after an error.

        Args:
            model: gives logits (N, classes) for images in [0, 1].
            images: (N, C, H, W) float in [0, 1].
            targets: (N,) int64, the class that each image shall be taken for.
            generator: source of every random number; how much is drawn does not depend on who leaves early.
            report: receives progress after every step how many samples have left.

        Raises:
            ValueError: a shape, a pixel or a target is not as above.
        """
        _check(images, targets)
        size = self.batch_size or images_at_once(model, images)
        batches = zip(torch.split(images, size), torch.split(targets, size), strict=True)
        run = _Run(model, generator, report, len(images), self.mixed)
        with evaluating(model), torch.enable_grad():
            ended = [self._attack(run, *batch) for batch in batches]
        kept = {name: torch.cat([state[name] for state in ended]) for name in ("kept", "reached", "confidence")}
        success = (kept["reached"] == targets) & (kept["confidence"] > 0)  # 0: its logits were not finite
        return Attacked(kept["kept"], kept["reached"], kept["confidence"], success, run.passes, run.checks)

    @property
    @abstractmethod
    def gradients(self) -> int:
        """The most gradients that one sample may cost."""

    @abstractmethod
    def objective(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return what the attack lowers, (n,), of logits (n, classes) and targets (n,)."""

    @abstractmethod
    def step(self, state: State, reading: TargetScores, gradient: Tensor) -> State:
        """Return the tensors that one step changes, at least "image"; gradient (n, C, H, W) is the objective's."""

    def begin(self, clean: Tensor, generator: torch.Generator) -> State:
        """Return the first point as "image" and the attack's own tensors."""
        return {"image": clean}

    def keep(self, state: State, reading: TargetScores) -> State:
        """Return what is kept of the point just read; here the last point always replaces the one before."""
        return {"kept": state["image"], "reached": reading.predicted, "confidence": reading.confidence}

    def leaves(self, state: State, reading: TargetScores) -> Tensor:
        """Return (n,) bool: who is finished."""
        return reading.done if self.confidence < 1 else torch.zeros_like(reading.done)

    def shortfall(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return by how much the target's logit falls short of the confidence asked for, (n,), in nats.

        It is at most 0 exactly when the target's logit is the largest and its probability is at least `confidence`:
        p >= q means z_target - logsumexp(others) >= log(q / (1 - q)). With confidence 0 this is f6 of the source.

        Source: Carlini and Wagner, 2017, section V-A (their kappa is log(q / (1 - q)) here).
        """
        sure = min(self.confidence, SUREST)
        target = logits.gather(1, targets[:, None]).squeeze(1)
        others = logits.scatter(1, targets[:, None], -math.inf)
        gap = others.amax(1)
        if sure > 0:
            gap = torch.maximum(gap, others.logsumexp(1) + math.log(sure / (1 - sure)))
        return gap - target

    def _attack(self, run: _Run, clean: Tensor, targets: Tensor) -> State:
        """Attack one batch and return its kept images, classes and confidences in the order given."""
        state = {"clean": clean, "targets": targets} | self.begin(clean, run.generator)
        ended = self._empty(clean)
        rows = torch.arange(len(clean), device=clean.device)
        for left in reversed(range(self.gradients + 1)):
            image, logits = run.forward(state["image"], with_gradient=left > 0)
            reading = self._read(logits.detach(), state["targets"])
            state |= self.keep(state, reading)
            stay = ~self.leaves(state, reading) if left else torch.zeros_like(reading.done)
            for name, values in ended.items():
                values[rows[~stay]] = state[name][~stay]
            run.tell(int((~stay).sum()))
            if not stay.any():
                run.checks += len(rows)
                break
            gradient = run.backward(self.objective(logits, state["targets"]), image)
            if not stay.all():
                state, rows, gradient = _rows(state, stay), rows[stay], gradient[stay]
                reading = TargetScores(**_rows(vars(reading), stay))
            state |= self.step(state, reading, gradient)
        return ended

    def _empty(self, clean: Tensor) -> State:
        """Return tensors for the outcome of one batch."""
        reached = torch.zeros(len(clean), dtype=torch.int64, device=clean.device)
        return {"kept": clean.clone(), "reached": reached, "confidence": clean.new_zeros(len(clean))}

    def _read(self, logits: Tensor, targets: Tensor) -> TargetScores:
        """Read logits (n, classes); what is not finite is taken for a failure."""
        if logits.ndim != 2 or len(logits) != len(targets):
            raise ValueError(f"logits: expected ({len(targets)}, classes), got {tuple(logits.shape)}")
        if (highest := int(targets.max())) >= logits.shape[1]:
            raise ValueError(f"targets: expected classes below the model's {logits.shape[1]}, got {highest}")
        confidence = logits.softmax(1).gather(1, targets[:, None]).squeeze(1).nan_to_num(nan=0.0)
        predicted = logits.nan_to_num(nan=-math.inf).argmax(1)
        done = (predicted == targets) & (confidence >= min(self.confidence, SUREST))
        return TargetScores(predicted, confidence, self.shortfall(logits, targets), done)


class _Run:
    """One call of `perturb`: the model, what it has cost so far and who is told."""

    def __init__(
        self,
        model: nn.Module,
        generator: torch.Generator,
        report: Reporter,
        total: int,
        mixed: bool,  # noqa: FBT001 - the attack's own setting, passed on
    ) -> None:
        self.model, self.generator, self.report, self.total, self.mixed = model, generator, report, total, mixed
        self.passes = self.checks = self.finished = 0

    def forward(self, images: Tensor, *, with_gradient: bool) -> tuple[Tensor, Tensor]:
        """Return the images as the leaf that a gradient may be taken at, and their logits."""
        leaf = laid_out(images.detach()).requires_grad_(with_gradient)
        precision = mixed_precision(images.device) if self.mixed and with_gradient else contextlib.nullcontext()
        with torch.set_grad_enabled(with_gradient), precision, plain_attention(images.device):
            logits: Tensor = self.model(leaf)
        return leaf, logits.to(leaf.dtype)

    def backward(self, objective: Tensor, images: Tensor) -> Tensor:
        """Return each sample's gradient (n, C, H, W), zero for a sample where any of it is not finite."""
        self.passes += len(images)
        (gradient,) = torch.autograd.grad(objective.sum(), images)
        finite = gradient.isfinite().flatten(1).all(1)
        return torch.where(per_sample(finite), gradient, 0.0)

    def tell(self, left: int) -> None:
        """Report how many samples have left; here a run is cancelled."""
        self.finished += left
        self.report.progress("attack", self.finished, self.total)


def per_sample(values: Tensor) -> Tensor:
    """Return values (n,) as (n, 1, 1, 1), to be multiplied with images."""
    return values[:, None, None, None]


def l2_norm(images: Tensor) -> Tensor:
    """Return the Euclidean norm (n,) of each of images (n, C, H, W)."""
    return images.square().flatten(1).sum(1).sqrt()


def into_ball(images: Tensor, clean: Tensor, radius: float) -> Tensor:
    """Return the images moved into the L2 ball around the clean ones, then into [0, 1].

    Clamping last is safe: the clean image lies in [0, 1], so it only shortens the perturbation.
    """
    delta = images - clean
    scale = (radius / l2_norm(delta).clamp_min(1e-12)).clamp_max(1.0)
    return (clean + delta * per_sample(scale)).clamp(0.0, 1.0)


def _rows(state: State, stay: Tensor) -> State:
    """Return the rows of every tensor that stay in the batch."""
    return {name: values[stay] for name, values in state.items()}


def _check(images: Tensor, targets: Tensor) -> None:
    """Refuse images and targets that no attack can use."""
    if images.ndim != 4 or not images.is_floating_point() or not len(images):
        raise ValueError(f"images: expected at least one, (N, C, H, W) float, got {tuple(images.shape)} {images.dtype}")
    if targets.shape != images.shape[:1] or targets.dtype != torch.int64:
        raise ValueError(f"targets: expected ({len(images)},) int64, got {tuple(targets.shape)} {targets.dtype}")
    low, high = images.aminmax()
    if not (low >= 0 and high <= 1):
        raise ValueError(f"images: expected pixels from 0 to 1, got {float(low):g} to {float(high):g}")
    if int(targets.min()) < 0:
        raise ValueError(f"targets: expected classes from 0, got {int(targets.min())}")
