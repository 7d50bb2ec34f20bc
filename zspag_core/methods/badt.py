"""Bad teaching: imitate a network that knows nothing on forget data, and the original on remaining data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from zspag_core.devices import place
from zspag_core.hyperparameters import knob
from zspag_core.methods.base import RetainMethod, Unlearned, ZeroShotMethod, timed
from zspag_core.methods.training_loop import Pair, Steps, TrainingSamples, carry_out, spread
from zspag_core.metrics.predictions import outputs_of
from zspag_core.models import fresh_like
from zspag_core.progress import SILENT, AsStage, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext


@dataclass(frozen=True, kw_only=True)
class _BadTeaching:
    """What both variants share."""

    epochs: int = knob(1, "Passes over the samples.", minimum=1, maximum=1000, basic=True)
    learning_rate: float = knob(1e-4, "Step length of Adam.", minimum=1e-7, maximum=1.0, basic=True)
    batch_size: int = knob(128, "Samples per step.", minimum=1, maximum=8192, unit="images")
    temperature: float = knob(
        1.0, "Divides the logits of teachers and pupil: larger makes all answers softer.", minimum=0.01, maximum=100.0
    )

    def _teach(self, model: Classifier, samples: TrainingSamples, context: RunContext) -> Unlearned:
        """Ask the teachers once, as no image is augmented; then train."""
        run = Unlearned(model)
        with timed(run.seconds, "labels"):
            teachers = ask_teachers(model, samples, context.generator, context.report)
        build = partial(
            Steps,
            model,
            samples,
            imitation_loss(*teachers, self.temperature),
            optimizer=partial(torch.optim.Adam, lr=self.learning_rate),
            order=partial(spread, len(samples.forget), len(samples.retain), self.batch_size),
        )
        return carry_out(run, build, self.epochs, context)


@dataclass(frozen=True, kw_only=True)
class BadTeaching(_BadTeaching, RetainMethod):
    """Come near to a random network's answers on forget samples and stay near the original's on remaining ones.

    An epoch is one pass over all forget samples and a share of the remaining ones, drawn once; every step holds the
    same share of forget samples.

    Source: Chundawat et al., 2023 (Can bad teaching induce forgetting?).
    """

    name: ClassVar[str] = "badt"

    retain_share: float = knob(
        0.3, "Share of the remaining samples that is used, drawn once; 1 uses all.", minimum=0.0, maximum=1.0
    )

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        retain: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Draw remaining samples, then train towards both teachers."""
        drawn = retain.sample(round(self.retain_share * len(retain)), context.generator)
        return self._teach(model, TrainingSamples(forget, drawn, classes), context)


@dataclass(frozen=True, kw_only=True)
class BadTeachingZS(_BadTeaching, ZeroShotMethod):
    """Come near to a random network's answers on forget samples.

    Nothing ties the pupil to the original, so this is training towards a random teacher, whose answers are nearly the
    same for every image: the rest is soon lost too.

    Source: Chen et al., ZS-PAG, section 4.1: the first term of BadT alone.
    """

    name: ClassVar[str] = "badt_zs"

    epochs: int = knob(3, "Passes over the forget samples.", minimum=1, maximum=1000, basic=True)
    learning_rate: float = knob(2e-4, "Step length of Adam.", minimum=1e-7, maximum=1.0, basic=True)

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Train towards the random teacher."""
        return self._teach(model, TrainingSamples.only(forget, classes), context)


def ask_teachers(
    model: Classifier, samples: TrainingSamples, generator: torch.Generator, report: Reporter = SILENT
) -> tuple[Tensor, Tensor]:
    """Return a random network's logits of the forget samples and the original's of the remaining ones, (N, classes).

    Args:
        model: the original classifier.
        samples: the samples.
        generator: source of the random network's weights.
        report: receives progress after every batch, as stage "labels".
    """
    seed = int(torch.randint(2**31, (), generator=generator))
    ignorant = place(fresh_like(model, seed), model.head.weight.device).eval()
    known, labelling = torch.zeros(0, model.config.num_classes), AsStage(report, "labels")
    if len(samples.retain):
        known = outputs_of(model, samples.retain.images, report=labelling).logits
    return outputs_of(ignorant, samples.forget.images, report=labelling).logits, known


def imitation_loss(ignorant: Tensor, known: Tensor, temperature: float) -> Callable[[Tensor, Pair], Tensor]:
    """Return the mean KL(teacher ‖ pupil) of a step, in nats.

    Args:
        ignorant: the random teacher's logits of all forget samples.
        known: the original's logits of all remaining samples.
        temperature: divides all logits.
    """

    def loss(logits: Tensor, pair: Pair) -> Tensor:
        teacher = torch.cat([ignorant[pair.forget], known[pair.retain]]).to(logits.device)
        pupil = (logits / temperature).log_softmax(1)
        return F.kl_div(pupil, (teacher / temperature).softmax(1), reduction="batchmean")

    return loss
