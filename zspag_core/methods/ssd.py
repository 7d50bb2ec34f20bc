"""Selective synaptic dampening: weights that matter much more to forget samples than to all data are made smaller."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from zspag_core.batching import images_at_once
from zspag_core.data.dataset import Split, to_pixels
from zspag_core.data.images import concat
from zspag_core.devices import plain_attention
from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.hyperparameters import knob
from zspag_core.methods.base import RetainMethod, Unlearned, staged, timed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.models import Classifier
    from zspag_core.progress import Reporter
    from zspag_core.runs.context import RunContext


@dataclass(frozen=True, kw_only=True)
class SSD(RetainMethod):
    """Multiply a weight w by β = min(λ I_D / I_f, 1) where I_f > α I_D; nothing is trained.

    I is the importance of a weight: the square of the gradient of a batch's mean cross-entropy, mean over batches; I_f
    of the forget samples, I_D of all samples. As in the authors' program a batch holds samples in the order of their
    classes, so nearly all of one class: gradients of mixed batches cancel, and everything would look important to the
    forget samples alone.

    Source: Foster et al., 2024 (SSD), equations 3 to 6 and algorithm 1.
    """

    name: ClassVar[str] = "ssd"

    alpha: float = knob(
        10.0,
        "How many times more important to forget samples than to all data a weight must be: less forgets further.",
        minimum=0.0,
        maximum=1e9,
        basic=True,
    )
    dampening: float = knob(
        1.0, "λ: the smaller, the nearer to zero chosen weights come.", minimum=0.0, maximum=1e9, basic=True
    )
    batch_size: int = knob(
        64, "Samples whose mean gradient is squared together.", minimum=1, maximum=8192, unit="images"
    )

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        retain: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Measure both importances, then dampen."""
        run = Unlearned(model)

        def measure() -> dict[str, dict[str, Tensor]]:
            gone, rest = in_order(forget), in_order(retain)
            every = Split(concat(rest.images, gone.images), torch.cat([rest.labels, gone.labels]))
            measured = Importances(model, self.batch_size, context.report, len(gone) + len(every))
            return {"forget": measured.of(gone), "all": measured.of(every)}

        try:
            found = staged(run, context, "unlearn", measure)
        except Cancelled:
            run.stopped = "cancelled"
            return run
        with timed(run.seconds, "unlearn"):
            run.model = self.dampened(model, found["forget"], found["all"])
        return run

    def factors(self, forget: Tensor, every: Tensor) -> Tensor:
        """Return what each weight is multiplied by.

        Args:
            forget: importances to the forget samples, of any shape.
            every: importances to all samples, of the same shape.
        """
        damped = (self.dampening * every / forget).clamp_max(1.0)
        return torch.where(forget > self.alpha * every, damped, torch.ones_like(every))

    def dampened(self, model: Classifier, forget: Mapping[str, Tensor], every: Mapping[str, Tensor]) -> Classifier:
        """Return a copy of the model with smaller weights.

        Args:
            model: the original classifier.
            forget: name of a parameter -> importances to the forget samples.
            every: the same to all samples.

        Raises:
            UnlearningError: an importance is no number.
        """
        smaller = copy.deepcopy(model)
        with torch.no_grad():
            for name, weight in smaller.named_parameters():
                if not bool(forget[name].isfinite().all() and every[name].isfinite().all()):
                    raise UnlearningError(f"the importance of {name} is no number: the model's outputs are not")
                weight.mul_(self.factors(forget[name], every[name]).to(weight.device))
        return smaller


class Importances:
    """Measures how much a model's loss depends on each weight; the model itself is left as it was."""

    def __init__(self, model: Classifier, batch_size: int, report: Reporter, total: int) -> None:
        """Copy the model.

        Args:
            model: the classifier.
            batch_size: samples whose mean gradient is squared together.
            report: receives progress after every batch, as stage "unlearn".
            total: samples that will be looked at in all.
        """
        self.network = copy.deepcopy(model).eval().requires_grad_()
        self.batch_size, self.report, self.total, self.done = batch_size, report, total, 0

    def of(self, samples: Split) -> dict[str, Tensor]:
        """Return the importances to some samples, in batches as they come, by name of a parameter, on the CPU."""
        sums = {name: torch.zeros_like(weight) for name, weight in self.network.named_parameters()}
        batches = torch.arange(len(samples)).split(self.batch_size)
        for batch in batches:
            for name, gradient in self._gradient(samples[batch]).items():
                sums[name] += gradient.square()
            self.done += len(batch)
            self.report.progress("unlearn", self.done, self.total)
        return {name: (value / len(batches)).cpu() for name, value in sums.items()}

    def _gradient(self, batch: Split) -> dict[str, Tensor]:
        """Return the gradient of a batch's mean cross-entropy, in float32."""
        self.network.zero_grad(set_to_none=True)
        device, size = self.network.head.weight.device, images_at_once(self.network, batch.images, len(batch))
        for images, labels in zip(batch.images.split(size), batch.labels.split(size), strict=True):
            with plain_attention(device):
                logits = self.network(to_pixels(images, device))
            (F.cross_entropy(logits, labels.to(device), reduction="sum") / len(batch)).backward()
        return {
            name: torch.zeros_like(weight) if weight.grad is None else weight.grad
            for name, weight in self.network.named_parameters()
        }


def in_order(samples: Split) -> Split:
    """Return samples in the order of their classes, those of a class as they came."""
    return samples[samples.labels.argsort(stable=True)]
