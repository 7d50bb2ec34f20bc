"""SCRUB: away from the original on forget samples in some epochs, back to it on remaining data in every epoch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from zspag_core.hyperparameters import knob
from zspag_core.methods.base import RetainMethod, Unlearned, timed
from zspag_core.methods.training_loop import Pair, SGDSettings, Steps, TrainingSamples, carry_out
from zspag_core.metrics.predictions import outputs_of
from zspag_core.progress import AsStage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext


@dataclass(frozen=True, kw_only=True)
class Scrub(SGDSettings, RetainMethod):
    """Alternate passes: one that maximises the divergence from the original on forget samples, one that undoes harm.

    An epoch is a pass over the forget samples, which climbs KL(original ‖ model), in the first `max_epochs` epochs
    alone, then a pass over the remaining samples, which descends gamma CE + alpha KL(original ‖ model). One optimiser
    serves both, so its momentum goes on from one pass into the other. KL is of logits divided by the temperature, and
    counts temperature squared.

    Source: Kurmanji et al., 2023 (SCRUB), section 3, algorithm 1.
    """

    name: ClassVar[str] = "scrub"

    epochs: int = knob(3, "Passes over the remaining samples.", minimum=1, maximum=1000, basic=True)
    max_epochs: int = knob(
        2,
        "Epochs that begin with a pass away from the original on forget samples.",
        minimum=0,
        maximum=1000,
        basic=True,
    )
    learning_rate: float = knob(5e-4, "Step length of SGD.", minimum=1e-7, maximum=100.0, basic=True)
    alpha: float = knob(0.001, "Weight of staying near the original on remaining samples.", minimum=0.0, maximum=1000.0)
    gamma: float = knob(0.99, "Weight of the true labels of remaining samples.", minimum=0.0, maximum=1000.0)
    temperature: float = knob(
        4.0, "Divides the logits of original and model: larger makes all answers softer.", minimum=0.01, maximum=100.0
    )
    forget_batch: int = knob(32, "Forget samples per step.", minimum=1, maximum=8192, unit="images")

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        retain: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Ask the original once, as no image is augmented; then alternate."""
        run, samples = Unlearned(model), TrainingSamples(forget, retain, classes)
        with timed(run.seconds, "labels"):
            labelling = AsStage(context.report, "labels")
            known = [outputs_of(model, part.images, report=labelling).logits for part in (forget, retain)]
        build = partial(
            Alternating,
            model,
            samples,
            scrub_loss(samples, known[0], known[1], self),
            max_epochs=self.max_epochs,
            optimizer=partial(self.sgd, learning_rate=self.learning_rate),
            order=partial(one_kind_a_step, len(forget), len(retain), self.forget_batch, self.batch_size),
        )
        return carry_out(run, build, self.epochs, context)


class Alternating(Steps):
    """Steps of one kind of sample each; those of forget samples are left out after some epochs."""

    def __init__(self, *rest: Any, max_epochs: int, **options: Any) -> None:  # noqa: ANN401
        """Copy the model; all but `max_epochs`, the epochs with forget samples, is as in :class:`Steps`."""
        super().__init__(*rest, **options)
        self.max_epochs = max_epochs

    def pairs(self, number: int, generator: torch.Generator) -> Sequence[Pair]:
        """Return an epoch's steps: those of forget samples, where it has such, then those of remaining ones."""
        drawn = super().pairs(number, generator)
        return drawn if number <= self.max_epochs else [pair for pair in drawn if len(pair.retain)]


def one_kind_a_step(
    forget: int, retain: int, forget_batch: int, retain_batch: int, generator: torch.Generator
) -> list[Pair]:
    """Order a pass over the forget samples and then one over the remaining samples.

    Args:
        forget: number of forget samples.
        retain: number of remaining samples.
        forget_batch: of the first per step.
        retain_batch: of the second per step.
        generator: source of the order.
    """
    nothing = torch.zeros(0, dtype=torch.int64)
    climbing = torch.randperm(forget, generator=generator).split(forget_batch)
    descending = torch.randperm(retain, generator=generator).split(retain_batch)
    return [Pair(part, nothing) for part in climbing] + [Pair(nothing, part) for part in descending]


def divergence(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Return KL(original ‖ model) of softened logits (N, classes), mean over samples, times temperature squared."""
    model, original = (values.float() / temperature for values in (logits, teacher_logits))
    return F.kl_div(model.log_softmax(1), original.softmax(1), reduction="batchmean") * temperature**2


def scrub_loss(
    samples: TrainingSamples, gone: Tensor, kept: Tensor, settings: Scrub
) -> Callable[[Tensor, Pair], Tensor]:
    """Return what a step minimises.

    Args:
        samples: what is trained on.
        gone: the original's logits of all forget samples.
        kept: the original's logits of all remaining samples.
        settings: weights and temperature.
    """

    def loss(logits: Tensor, pair: Pair) -> Tensor:
        if len(pair.forget):
            return -divergence(logits, gone[pair.forget].to(logits.device), settings.temperature)
        near = divergence(logits, kept[pair.retain].to(logits.device), settings.temperature)
        truth = F.cross_entropy(logits, samples.retain.labels[pair.retain].to(logits.device))
        return settings.gamma * truth + settings.alpha * near

    return loss
