"""Gradient ascent on the forgotten classes, held by remaining data (NegGrad+) or not held at all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from torch.nn import functional as F

from zspag_core.hyperparameters import knob
from zspag_core.methods.base import RetainMethod, Unlearned, ZeroShotMethod
from zspag_core.methods.training_loop import Pair, SGDSettings, Steps, TrainingSamples, carry_out, match, spread

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext


@dataclass(frozen=True, kw_only=True)
class NegGrad(SGDSettings, RetainMethod):
    """Minimise α CE(remaining) - (1 - α) CE(forget).

    An epoch is one pass over the remaining samples; every step has as many forget samples, which begin again when they
    are through.

    Source: Kurmanji et al., 2024 (NegGrad+).
    """

    name: ClassVar[str] = "neggrad"

    epochs: int = knob(5, "Passes over the remaining samples.", minimum=1, maximum=1000, basic=True)
    learning_rate: float = knob(1e-3, "Step length of SGD.", minimum=1e-7, maximum=100.0, basic=True)
    alpha: float = knob(
        0.99,
        "Weight of the remaining samples' loss; what is left to 1 pushes forget samples away.",
        minimum=0.0,
        maximum=1.0,
    )

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        retain: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Descend on the rest and climb on the forget samples, in the same steps."""

        def loss(logits: Tensor, pair: Pair) -> Tensor:
            count = len(pair.forget)
            kept = F.cross_entropy(logits[count:], retain.labels[pair.retain].to(logits.device))
            gone = F.cross_entropy(logits[:count], forget.labels[pair.forget].to(logits.device))
            return self.alpha * kept - (1 - self.alpha) * gone

        build = partial(
            Steps,
            model,
            TrainingSamples(forget, retain, classes),
            loss,
            optimizer=partial(self.sgd, learning_rate=self.learning_rate),
            order=partial(match, len(forget), len(retain), self.batch_size),
        )
        return carry_out(Unlearned(model), build, self.epochs, context)


@dataclass(frozen=True, kw_only=True)
class NegGradZS(SGDSettings, ZeroShotMethod):
    """Maximise the cross-entropy of the forget samples; nothing holds the rest, so small steps and few of them.

    The loss has no upper bound: steps that are too long end in numbers that are none, and the run says so.

    Source: Chen et al., ZS-PAG, section 4.1: the second term of NegGrad+ alone.
    """

    name: ClassVar[str] = "neggrad_zs"

    epochs: int = knob(5, "Passes over the forget samples.", minimum=1, maximum=1000, basic=True)
    learning_rate: float = knob(4e-4, "Step length of SGD.", minimum=1e-7, maximum=100.0, basic=True)

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Climb."""

        def loss(logits: Tensor, pair: Pair) -> Tensor:
            return -F.cross_entropy(logits, forget.labels[pair.forget].to(logits.device))

        build = partial(
            Steps,
            model,
            TrainingSamples.only(forget, classes),
            loss,
            optimizer=partial(self.sgd, learning_rate=self.learning_rate),
            order=partial(spread, len(forget), 0, self.batch_size),
        )
        return carry_out(Unlearned(model), build, self.epochs, context)
