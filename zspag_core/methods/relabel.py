"""Relabelling without projection: the model's own posterior (DELETE's objective), or random labels (FT-zs)."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from zspag_core import pseudo_labels
from zspag_core.hyperparameters import knob
from zspag_core.methods.base import Unlearned, ZeroShotMethod, timed
from zspag_core.methods.descent import Schedule, descend
from zspag_core.metrics.predictions import logits_of
from zspag_core.subspace import empty_subspace

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext


@dataclass(frozen=True, kw_only=True)
class Relabel(ZeroShotMethod):
    """Plain SGD on forget samples under other labels; the same parameters move as in ZS-PAG."""

    epochs: int = knob(10, "Passes over the forget samples.", minimum=1, maximum=1000, basic=True)
    learning_rate: float = knob(1e-3, "Step length of plain SGD.", minimum=1e-7, maximum=100.0, basic=True)
    batch_size: int = knob(128, "Forget samples per step.", minimum=1, maximum=8192, unit="images")

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Relabel, then descend."""
        run = Unlearned(model)
        barred = pseudo_labels.barred_labels(forget.labels, classes, model.config.num_classes)
        context.report.progress("labels", 0, len(forget))
        with timed(run.seconds, "labels"):
            labels = self.relabel(logits_of(model, forget.images), barred, context.generator)
            run.labels = pseudo_labels.PseudoLabels(labels, self.label_mode)
        with timed(run.seconds, "unlearn"):
            descent = descend(
                model,
                forget.images,
                labels,
                barred,
                Schedule(self.learning_rate, self.epochs, self.batch_size),
                subspace=empty_subspace(model),
                context=context,
            )
        return run.end(descent)

    label_mode: ClassVar[str]

    @abstractmethod
    def relabel(self, logits: Tensor, barred: Tensor, generator: torch.Generator) -> Tensor:
        """Return soft labels (N, C) for the original model's logits (N, C) of the forget samples.

        Args:
            logits: (N, C).
            barred: (N, C) bool, the labels that get no weight.
            generator: source of randomness, on the CPU.
        """


@dataclass(frozen=True, kw_only=True)
class Posterior(Relabel):
    """Teach the model's own posterior with the forgotten classes removed; no projection.

    That is the objective of DELETE (Zhou et al., 2025); `delete` has its optimiser, too, and lets every weight move.
    """

    name: ClassVar[str] = "posterior"
    label_mode: ClassVar[str] = "posterior"

    def relabel(self, logits: Tensor, barred: Tensor, generator: torch.Generator) -> Tensor:
        """Return the posterior without the barred labels."""
        return pseudo_labels.posterior_labels(logits, barred)


@dataclass(frozen=True, kw_only=True)
class RandomLabels(Relabel):
    """Fine-tuning on random labels of the forget data alone (the paper's FT-zs and RL)."""

    name: ClassVar[str] = "finetune_zs"
    label_mode: ClassVar[str] = "random"

    def relabel(self, logits: Tensor, barred: Tensor, generator: torch.Generator) -> Tensor:
        """Return random classes that are not barred, one-hot."""
        return pseudo_labels.random_labels(barred, generator)
