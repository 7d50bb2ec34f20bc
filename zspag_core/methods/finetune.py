"""Fine-tuning on remaining data and randomly labelled forget data (the paper's FT)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from zspag_core.hyperparameters import knob
from zspag_core.methods.base import RetainMethod, Unlearned, timed
from zspag_core.methods.training_loop import Pair, SGDSettings, Steps, TrainingSamples, carry_out, spread
from zspag_core.pseudo_labels import PseudoLabels, random_labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext


@dataclass(frozen=True, kw_only=True)
class Finetune(SGDSettings, RetainMethod):
    """Train on everything, forget samples under random labels of other classes, drawn once.

    An epoch is one pass over all samples; every step holds the same share of forget samples.

    Source: Warnecke et al., 2021, as Chen et al. (ZS-PAG) use it.
    """

    name: ClassVar[str] = "finetune"

    epochs: int = knob(10, "Passes over remaining and forget samples.", minimum=1, maximum=1000, basic=True)
    learning_rate: float = knob(1e-3, "Step length of SGD.", minimum=1e-7, maximum=100.0, basic=True)

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        retain: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Relabel, then train."""
        run = Unlearned(model)
        samples = TrainingSamples(forget, retain, classes)
        with timed(run.seconds, "labels"):
            run.labels = draw_labels(model, samples, context.generator)
        build = partial(
            Steps,
            model,
            samples,
            relabelled_loss(samples, run.labels),
            optimizer=partial(self.sgd, learning_rate=self.learning_rate),
            order=partial(spread, len(forget), len(retain), self.batch_size),
        )
        return carry_out(run, build, self.epochs, context)


def draw_labels(model: Classifier, samples: TrainingSamples, generator: torch.Generator) -> PseudoLabels:
    """Return a random class for every forget sample, neither a forgotten one nor the one it was trained as."""
    return PseudoLabels(random_labels(samples.barred(model.config.num_classes), generator), "random")


def relabelled_loss(samples: TrainingSamples, labels: PseudoLabels) -> Callable[[Tensor, Pair], Tensor]:
    """Return the cross-entropy of a step: new labels for the forget samples, the true ones for the rest."""
    drawn = labels.labels.argmax(1)

    def loss(logits: Tensor, pair: Pair) -> Tensor:
        targets = torch.cat([drawn[pair.forget], samples.retain.labels[pair.retain]])
        return F.cross_entropy(logits, targets.to(logits.device))

    return loss
