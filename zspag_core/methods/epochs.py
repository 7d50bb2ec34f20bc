"""The loop of the methods that train every weight: epochs, steps, checks, progress, cancelling, going on.

:func:`repeat` makes epochs of any :class:`Work`. :class:`Steps` is the usual work: one optimiser step a batch of forget
and remaining samples, whose loss the method gives as a function of the logits. All weights move, biases and norms too,
as in the official code of these methods; BatchNorm stays in eval mode and images are not augmented. With the official
step lengths some of them fail on the smallest shipped model (loss no number): defaults are shorter, presets have those.
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
from zspag_core.memory import FORGETFUL, Memory
from zspag_core.methods.base import Unlearned, timed
from zspag_core.methods.descent import PART, Descent, Told, refuse_loss
from zspag_core.progress import SILENT, Reporter
from zspag_core.pseudo_labels import barred_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch.optim import Optimizer

    from zspag_core.models import Classifier


class Work(ABC):
    """A model in training, one epoch at a time.

    Attributes:
        model: the copy that is trained, in eval mode.
        steps: how many steps an epoch has.
    """

    model: Classifier
    steps: int

    @abstractmethod
    def epoch(self, number: int, generator: torch.Generator, told: Told) -> dict[str, float]:
        """Make epoch `number` (from 1), tell of every step, and return the epoch's figures, "loss" among them."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return copies of everything, beside the generator, that the next epoch depends on."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Go to where an earlier attempt was."""


def repeat(
    work: Work,
    epochs: int,
    *,
    generator: torch.Generator,
    report: Reporter = SILENT,
    memory: Memory = FORGETFUL,
) -> Descent:
    """Make all epochs of a work, or those before a reporter cancels.

    Args:
        work: what an epoch does; its model is trained.
        epochs: how many.
        generator: source of randomness, on the CPU.
        report: receives progress, and the model after every epoch.
        memory: keeps every epoch that has ended; the loop goes on after the last one kept.

    Returns:
        The model, in eval mode and with every parameter ready for gradients; "epochs" or "cancelled"; one row an epoch.

    Raises:
        UnlearningError: the work found that its loss or weights are no numbers any more.
    """
    history, stopped = _resume(work, memory.recall(PART), generator), "epochs"
    try:
        if history:
            report.progress("unlearn", len(history) * work.steps, epochs * work.steps)
        while len(history) < epochs:
            number = len(history) + 1
            figures = work.epoch(number, generator, Told(report, len(history) * work.steps, epochs * work.steps))
            history.append({"epoch": float(number)} | figures)
            try:
                report.epoch(number, epochs, work.model, **figures)
            finally:  # also when that is where the run is cancelled
                kept = {"history": history, "work": work.state(), "generator": generator.get_state()}
                memory.keep(PART, kept)
    except Cancelled:
        stopped = "cancelled"
    for parameter in work.model.parameters():
        parameter.grad = None
    return Descent(work.model.eval().requires_grad_(), stopped, history)


def carry_out(
    run: Unlearned,
    build: Callable[[], Work],
    epochs: int,
    *,
    generator: torch.Generator,
    report: Reporter = SILENT,
    memory: Memory = FORGETFUL,
) -> Unlearned:
    """Build a work and make its epochs as the stage "unlearn"; return the run with what came of it.

    All else is as in :func:`repeat`.
    """
    with timed(run.seconds, "unlearn"):
        return run.end(repeat(build(), epochs, generator=generator, report=report, memory=memory))


def _resume(work: Work, known: dict[str, Any] | None, generator: torch.Generator) -> list[dict[str, float]]:
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
class Samples:
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
    def only(cls, forget: Split, classes: tuple[int, ...]) -> Samples:
        """Return samples without any remaining data."""
        return cls(forget, forget[torch.zeros(0, dtype=torch.int64)], classes)

    def barred(self, num_classes: int) -> Tensor:
        """Return which labels each forget sample must not be taught or still read as, (N, num_classes) bool."""
        return barred_labels(self.forget.labels, self.classes, num_classes)

    def images(self, pair: Pair) -> Pictures:
        """Return the uint8 images of a step, forget samples first."""
        return concat(self.forget.images[pair.forget], self.retain.images[pair.retain])


class Steps(Work):
    """One optimiser step a batch of forget and remaining samples."""

    def __init__(
        self,
        model: Classifier,
        samples: Samples,
        loss: Callable[[Tensor, Pair], Tensor],
        *,
        optimizer: Callable[[list[torch.nn.Parameter]], Optimizer],
        order: Callable[[torch.Generator], Sequence[Pair]],
    ) -> None:
        """Copy the model.

        Args:
            model: the original classifier; it is not changed.
            samples: what is trained on.
            loss: from the float32 logits of a step, forget samples first, and the step to what is minimised.
            optimizer: from the weights to what moves them.
            order: draws the steps of an epoch, always the same number of them.
        """
        self.model = copy.deepcopy(model).eval().requires_grad_()
        self.samples, self.loss, self.order = samples, loss, order
        self.optimizer = optimizer(list(self.model.parameters()))
        self.device = self.model.head.weight.device
        self.barred = samples.barred(model.config.num_classes)
        self.steps = len(order(torch.Generator()))

    def epoch(self, number: int, generator: torch.Generator, told: Told) -> dict[str, float]:
        """Make one pass; return the mean loss and the percent of forget samples not forgotten before their step.

        Such are still read as a forgotten class, or as they were trained.

        Raises:
            UnlearningError: the loss or a weight became NaN or infinite.
        """
        total, images, still, seen = 0.0, 0, 0, 0
        for place, pair in enumerate(self.order(generator), start=1):
            loss, predicted = self._step(pair)
            self._check(loss, number)
            count = len(pair.forget) + len(pair.retain)
            total, images = total + loss * count, images + count
            still += int(self.barred[pair.forget, predicted[: len(pair.forget)]].sum())
            seen += len(pair.forget)
            told.step(place, loss)
        if not all(bool(parameter.isfinite().all()) for parameter in self.model.parameters()):
            self._check(math.nan, number)
        return {"loss": total / images, "forget_accuracy": 100 * still / seen}

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

    def _step(self, pair: Pair) -> tuple[float, Tensor]:
        """Take one step; return the loss and the predictions before it."""
        images = self.samples.images(pair)
        parts = images.split(images_at_once(self.model, images, len(images)))
        self.optimizer.zero_grad(set_to_none=True)
        if len(parts) == 1:
            logits = self._read(images)
            loss = self.loss(logits.float(), pair)
            loss.backward()
        else:
            loss, logits = self._descend_in_parts(parts, pair)
        self.update()
        return loss.item(), logits.argmax(1).cpu()

    def _read(self, images: Pictures) -> Tensor:
        """Return the logits of images."""
        with mixed_precision(self.device), plain_attention(self.device):
            logits: Tensor = self.model(to_pixels(images, self.device))
        return logits

    def _descend_in_parts(self, parts: Sequence[Pictures], pair: Pair) -> tuple[Tensor, Tensor]:
        """Fill the gradients though the step's images do not fit together; return loss and logits.

        The loss, which may be any function of all logits, is derived by the logits first, those part by part.
        """
        with torch.no_grad():
            logits = torch.cat([self._read(part) for part in parts]).float().requires_grad_()
        loss = self.loss(logits, pair)
        (slopes,) = torch.autograd.grad(loss, logits)
        for part, slope in zip(parts, slopes.split([len(part) for part in parts]), strict=True):
            self._read(part).float().backward(slope)
        return loss, logits.detach()

    def _check(self, loss: float, number: int) -> None:
        """Refuse to go on from a loss that is no number.

        Raises:
            UnlearningError: it is NaN or infinite.
        """
        if not math.isfinite(loss):
            refuse_loss(loss, number, self.optimizer.param_groups[0]["lr"])


@dataclass(frozen=True, kw_only=True)
class SGDSettings:
    """The knobs of plain SGD with momentum that several methods share."""

    batch_size: int = knob(128, "Samples per step.", minimum=1, maximum=8192, unit="images")
    momentum: float = knob(0.9, "Share of the last step that the next one repeats.", minimum=0.0, maximum=0.999)
    weight_decay: float = knob(5e-4, "Pull of the weights towards zero.", minimum=0.0, maximum=1.0)

    def sgd(self, weights: list[torch.nn.Parameter], learning_rate: float) -> Optimizer:
        """Return SGD with these settings."""
        return torch.optim.SGD(weights, learning_rate, momentum=self.momentum, weight_decay=self.weight_decay)
