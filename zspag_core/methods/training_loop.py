"""The loop of the methods that train every weight: epochs, steps, checks, progress, cancelling, going on.

:func:`repeat` makes epochs of any :class:`Training`. :class:`Batches` makes one optimiser step a batch of forget and
remaining samples; :class:`Steps`, the usual kind, has a loss that is a function of the logits. All weights move, biases
and norms too, as in the official code of these methods; BatchNorm stays in eval mode and images are not augmented. With
the official step lengths some of them fail on the smallest shipped model (loss no number): defaults are shorter,
presets have those.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zspag_core.batching import images_at_once
from zspag_core.data.dataset import Split, to_pixels
from zspag_core.data.images import Pictures, concat
from zspag_core.devices import mixed_precision, plain_attention
from zspag_core.errors import Cancelled
from zspag_core.hyperparameters import knob
from zspag_core.methods.base import Unlearned, timed
from zspag_core.methods.descent import PART, Descent, StepReport, refuse_loss
from zspag_core.pseudo_labels import barred_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch.optim import Optimizer

    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext


class Training(ABC):
    """A model in training, one epoch at a time.

    Attributes:
        model: the copy that is trained, in eval mode.
        steps: how many steps an epoch has.
    """

    model: Classifier
    steps: int

    @abstractmethod
    def epoch(self, number: int, generator: torch.Generator, steps: StepReport) -> dict[str, float]:
        """Make epoch `number` (from 1), tell of every step, and return the epoch's figures, "loss" among them."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return copies of everything, beside the generator, that the next epoch depends on."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Go to where an earlier attempt was."""


def repeat(
    work: Training,
    epochs: int,
    context: RunContext,
) -> Descent:
    """Make all epochs of a work, or those before a reporter cancels.

    Args:
        work: what an epoch does; its model is trained.
        epochs: how many.
        context: its cache keeps every epoch that has ended; the loop goes on after the last one kept.

    Returns:
        The model, in eval mode and with every parameter ready for gradients; "epochs" or "cancelled"; one row an epoch.

    Raises:
        UnlearningError: the work found that its loss or weights are no numbers any more.
    """
    generator, report = context.generator, context.report
    history, stopped = _resume(work, context.cache.recall(PART), generator), "epochs"
    try:
        if history:
            report.progress("unlearn", len(history) * work.steps, epochs * work.steps)
        while len(history) < epochs:
            number = len(history) + 1
            steps = StepReport(report, work.model, len(history), work.steps, epochs)
            figures = work.epoch(number, generator, steps)
            history.append({"epoch": float(number)} | figures)
            try:
                report.epoch(number, epochs, work.model, **figures)
            finally:  # also when that is where the run is cancelled
                kept = {"history": history, "work": work.state(), "generator": generator.get_state()}
                context.cache.keep(PART, kept)
    except Cancelled:
        stopped = "cancelled"
    for parameter in work.model.parameters():
        parameter.grad = None
    return Descent(work.model.eval().requires_grad_(), stopped, history)


def carry_out(
    run: Unlearned,
    build: Callable[[], Training],
    epochs: int,
    context: RunContext,
) -> Unlearned:
    """Build a work and make its epochs as the stage "unlearn"; return the run with what came of it.

    All else is as in :func:`repeat`.
    """
    with timed(run.seconds, "unlearn"):
        return run.end(repeat(build(), epochs, context))


def _resume(work: Training, known: dict[str, Any] | None, generator: torch.Generator) -> list[dict[str, float]]:
    """Go to where an earlier attempt was, if there was one; return its history."""
    if known is None:
        return []
    work.restore(known["work"])
    generator.set_state(known["generator"])
    return list(known["history"])


@dataclass(frozen=True)
class Pair:
    """The samples of one step: places among the forget samples and among the remaining ones; either may be empty."""

    forget: Tensor
    retain: Tensor


def spread(forget: int, retain: int, batch_size: int, generator: torch.Generator) -> list[Pair]:
    """Order one pass over both kinds: every sample once, and in each step the same share of forget samples.

    Args:
        forget: number of forget samples.
        retain: number of remaining samples; 0 makes a pass over the forget samples alone.
        batch_size: samples of both kinds together per step.
        generator: source of the order.
    """
    steps = math.ceil((forget + retain) / batch_size)
    parts = []
    for count in (forget, retain):
        cuts = [step * count // steps for step in range(1, steps)]
        parts.append(torch.randperm(count, generator=generator).tensor_split(cuts))
    return [Pair(*samples) for samples in zip(*parts, strict=True)]


def match(forget: int, retain: int, batch_size: int, generator: torch.Generator) -> list[Pair]:
    """Order one pass over the remaining samples, each step with as many forget samples; those begin again when through.

    Args:
        forget: number of forget samples.
        retain: number of remaining samples.
        batch_size: samples of each kind per step.
        generator: source of the order.
    """
    retained = torch.randperm(retain, generator=generator)
    passes = [torch.randperm(forget, generator=generator) for _ in range(math.ceil(retain / forget))]
    forgotten = torch.cat(passes)[:retain]
    return [Pair(*samples) for samples in zip(forgotten.split(batch_size), retained.split(batch_size), strict=True)]


@dataclass(frozen=True)
class TrainingSamples:
    """What a method trains on.

    Attributes:
        forget: training samples of the forgotten classes, under the labels they were trained with.
        retain: training samples of the other classes; an empty split where the method gets none.
        classes: the forgotten classes.
    """

    forget: Split
    retain: Split
    classes: tuple[int, ...]

    @classmethod
    def only(cls, forget: Split, classes: tuple[int, ...]) -> TrainingSamples:
        """Return samples without any remaining data."""
        return cls(forget, forget[torch.zeros(0, dtype=torch.int64)], classes)

    def barred(self, num_classes: int) -> Tensor:
        """Return which labels each forget sample must not be taught or still read as, (N, num_classes) bool."""
        return barred_labels(self.forget.labels, self.classes, num_classes)

    def images(self, pair: Pair) -> Pictures:
        """Return the uint8 images of a step, forget samples first."""
        return concat(self.forget.images[pair.forget], self.retain.images[pair.retain])


class Batches(Training):
    """One optimiser step a batch of forget and remaining samples; a subclass fills the gradients."""

    def __init__(
        self,
        model: Classifier,
        samples: TrainingSamples,
        *,
        optimizer: Callable[[list[torch.nn.Parameter]], Optimizer],
        order: Callable[[torch.Generator], Sequence[Pair]],
    ) -> None:
        """Copy the model.

        Args:
            model: the original classifier; it is not changed.
            samples: what is trained on.
            optimizer: from the weights to what moves them.
            order: draws the steps of an epoch, always the same number of them.
        """
        self.model = copy.deepcopy(model).eval().requires_grad_()
        self.samples, self.order = samples, order
        self.optimizer = optimizer(list(self.model.parameters()))
        self.device = self.model.head.weight.device
        self.barred = samples.barred(model.config.num_classes)
        self.steps = len(order(torch.Generator()))

    @abstractmethod
    def descend(self, images: Pictures, pair: Pair, generator: torch.Generator) -> tuple[float, Tensor]:
        """Add a step's gradients to those of the weights, which are empty; return its loss and its logits (N, classes).

        Args:
            images: (N, C, H, W) uint8, forget samples first.
            pair: the step's samples.
            generator: source of what else is drawn for a step, on the CPU.
        """

    def epoch(self, number: int, generator: torch.Generator, steps: StepReport) -> dict[str, float]:
        """Make one pass; return the mean loss and the percent of forget samples not forgotten before their step.

        Such are still read as a forgotten class, or as they were trained. An epoch without forget samples has no such
        figure.

        Raises:
            UnlearningError: the loss or a weight became NaN or infinite.
        """
        total, images, still, seen = 0.0, 0, 0, 0
        pairs = self.pairs(number, generator)
        for place, pair in enumerate(pairs, start=1 + self.steps - len(pairs)):
            loss, predicted = self._step(pair, generator)
            self._check(loss, number)
            count = len(pair.forget) + len(pair.retain)
            total, images = total + loss * count, images + count
            still += int(self.barred[pair.forget, predicted[: len(pair.forget)]].sum())
            seen += len(pair.forget)
            steps.step(place, loss)
        if not all(bool(parameter.isfinite().all()) for parameter in self.model.parameters()):
            self._check(math.nan, number)
        return {"loss": total / images} | ({"forget_accuracy": 100 * still / seen} if seen else {})

    def pairs(self, _number: int, generator: torch.Generator) -> Sequence[Pair]:
        """Return the steps of an epoch, at most as many as `steps`; a method whose epochs differ says so here."""
        return self.order(generator)

    def update(self) -> None:
        """Take the optimiser's step; a method that restricts it does so here."""
        self.optimizer.step()

    def state(self) -> dict[str, Any]:
        """Return copies of the weights and what the optimiser remembers."""
        weights = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        return {"weights": weights, "optimizer": copy.deepcopy(self.optimizer.state_dict())}

    def restore(self, state: dict[str, Any]) -> None:
        """Put both back."""
        self.model.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])

    def read(self, pixels: Tensor) -> Tensor:
        """Return the logits (N, classes) of pixels (N, C, H, W) in [0, 1]."""
        with mixed_precision(self.device), plain_attention(self.device):
            logits: Tensor = self.model(pixels)
        return logits

    def in_parts(self, images: Pictures) -> Sequence[Pictures]:
        """Return images in as few parts as go through the network together."""
        return images.split(images_at_once(self.model, images, len(images)))

    def _step(self, pair: Pair, generator: torch.Generator) -> tuple[float, Tensor]:
        """Take one step; return the loss and the predictions before it."""
        self.optimizer.zero_grad(set_to_none=True)
        loss, logits = self.descend(self.samples.images(pair), pair, generator)
        self.update()
        return loss, logits.argmax(1).cpu()

    def _check(self, loss: float, number: int) -> None:
        """Refuse to go on from a loss that is no number.

        Raises:
            UnlearningError: it is NaN or infinite.
        """
        if not math.isfinite(loss):
            refuse_loss(loss, number, self.optimizer.param_groups[0]["lr"])


class Steps(Batches):
    """The usual steps: the loss is a function of the logits."""

    def __init__(
        self,
        model: Classifier,
        samples: TrainingSamples,
        loss: Callable[[Tensor, Pair], Tensor],
        **options: Any,  # noqa: ANN401
    ) -> None:
        """Copy the model.

        Args:
            model: the original classifier; it is not changed.
            samples: what is trained on.
            loss: from the float32 logits of a step, forget samples first, and the step to what is minimised.
            options: as for :class:`Batches`.
        """
        super().__init__(model, samples, **options)
        self.loss = loss

    def descend(self, images: Pictures, pair: Pair, generator: torch.Generator) -> tuple[float, Tensor]:
        """Fill the gradients of the loss."""
        parts = self.in_parts(images)
        if len(parts) > 1:
            return self._descend_in_parts(parts, pair)
        logits = self.read(to_pixels(images, self.device))
        loss = self.loss(logits.float(), pair)
        loss.backward()
        return loss.item(), logits

    def _descend_in_parts(self, parts: Sequence[Pictures], pair: Pair) -> tuple[float, Tensor]:
        """Fill the gradients though the step's images do not fit together; return loss and logits.

        The loss, which may be any function of all logits, is derived by the logits first, those part by part.
        """
        with torch.no_grad():
            logits = torch.cat([self.read(to_pixels(part, self.device)) for part in parts]).float().requires_grad_()
        loss = self.loss(logits, pair)
        (slopes,) = torch.autograd.grad(loss, logits)
        for part, slope in zip(parts, slopes.split([len(part) for part in parts]), strict=True):
            self.read(to_pixels(part, self.device)).float().backward(slope)
        return loss.item(), logits.detach()


@dataclass(frozen=True, kw_only=True)
class SGDSettings:
    """The knobs of plain SGD with momentum that several methods share."""

    batch_size: int = knob(128, "Samples per step.", minimum=1, maximum=8192, unit="images")
    momentum: float = knob(0.9, "Share of the last step that the next one repeats.", minimum=0.0, maximum=0.999)
    weight_decay: float = knob(5e-4, "Pull of the weights towards zero.", minimum=0.0, maximum=1.0)

    def sgd(self, weights: list[torch.nn.Parameter], learning_rate: float) -> Optimizer:
        """Return SGD with these settings."""
        return torch.optim.SGD(weights, learning_rate, momentum=self.momentum, weight_decay=self.weight_decay)
