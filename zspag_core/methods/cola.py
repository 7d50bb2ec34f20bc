"""COLA: remaining images are drawn together by class until the encoder lets the forgotten ones go, then aligned."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch.nn import functional as F

from zspag_core.data.dataset import to_pixels
from zspag_core.devices import mixed_precision, plain_attention
from zspag_core.hyperparameters import knob
from zspag_core.methods.base import RetainMethod, Unlearned
from zspag_core.methods.training_loop import Batches, SGDSettings, TrainingSamples, carry_out, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from zspag_core.data.dataset import Split
    from zspag_core.data.images import Pictures
    from zspag_core.methods.descent import StepReport
    from zspag_core.methods.training_loop import Pair
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext


@dataclass(frozen=True, kw_only=True)
class Cola(SGDSettings, RetainMethod):
    """Collapse the encoder with a supervised contrastive loss of remaining images, then align encoder and head.

    In the first epochs the penultimate features of remaining images are drawn to those of their class and away from the
    others, while the head stays: nothing holds what told the forgotten classes apart. In the others encoder and head
    learn the labels of remaining images, with a new optimiser. Forget samples take no part.

    Source: Jeon et al., 2026 (An information theoretic evaluation metric for strong unlearning), COLA; the contrast is
    equation 2 of Khosla et al., 2020.
    """

    name: ClassVar[str] = "cola"

    epochs: int = knob(10, "Passes over the remaining samples, of both parts.", minimum=1, maximum=1000, basic=True)
    collapse_epochs: int = knob(
        5, "How many of them, the first, collapse the encoder; the others align.", minimum=0, maximum=1000, basic=True
    )
    learning_rate: float = knob(
        1e-3, "Step length of SGD where encoder and head are aligned.", minimum=1e-7, maximum=100.0, basic=True
    )
    collapse_rate: float = knob(
        0.01, "The same where the encoder is collapsed.", minimum=1e-7, maximum=100.0, basic=True
    )
    temperature: float = knob(
        0.5, "Divides the cosines of the contrast: smaller minds near images more.", minimum=0.001, maximum=100.0
    )

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        retain: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Collapse, then align."""
        build = partial(
            Collapsing,
            model,
            TrainingSamples(forget, retain, classes),
            settings=self,
            optimizer=partial(self.sgd, learning_rate=self.collapse_rate),
            order=partial(spread, 0, len(retain), self.batch_size),
        )
        return carry_out(Unlearned(model), build, self.epochs, context)


class Collapsing(Batches):
    """Epochs of contrast, then epochs of cross-entropy, of remaining images alone."""

    def __init__(
        self,
        model: Classifier,
        samples: TrainingSamples,
        *,
        settings: Cola,
        **options: Any,  # noqa: ANN401
    ) -> None:
        """Copy the model; all but `settings` is as in :class:`Batches`."""
        super().__init__(model, samples, **options)
        self.settings, self.collapsing = settings, True

    def epoch(self, number: int, generator: torch.Generator, steps: StepReport) -> dict[str, float]:
        """Make one pass; the first one that aligns begins without what the optimiser remembers of the collapse."""
        self.collapsing = number <= self.settings.collapse_epochs
        if number == self.settings.collapse_epochs + 1:
            self.optimizer = self.settings.sgd(list(self.model.parameters()), self.settings.learning_rate)
        return super().epoch(number, generator, steps)

    def descend(self, images: Pictures, pair: Pair, generator: torch.Generator) -> tuple[float, Tensor]:
        """Fill the gradients of the contrast, or of the cross-entropy."""
        labels, parts = self.samples.retain.labels[pair.retain].to(self.device), self.in_parts(images)
        if len(parts) > 1:
            return self._descend_in_parts(parts, labels)
        features, logits = self.look(parts[0])
        loss = self.objective(features, logits, labels)
        loss.backward()
        return loss.item(), logits.detach()

    def _descend_in_parts(self, parts: Sequence[Pictures], labels: Tensor) -> tuple[float, Tensor]:
        """Fill the gradients though the step's images do not fit together: the loss is derived by its input first."""
        with torch.no_grad():
            features, logits = (torch.cat(said).requires_grad_() for said in zip(*map(self.look, parts), strict=True))
        said = features if self.collapsing else logits
        loss = self.objective(features, logits, labels)
        (slopes,) = torch.autograd.grad(loss, said)
        for part, slope in zip(parts, slopes.split([len(part) for part in parts]), strict=True):
            features, logits_of_part = self.look(part)
            (features if self.collapsing else logits_of_part).backward(slope)
        return loss.item(), logits.detach()

    def objective(self, features: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """Return what a step minimises.

        Args:
            features: (N, D) penultimate.
            logits: (N, classes).
            labels: (N,).
        """
        if self.collapsing:
            return contrast(features, labels, self.settings.temperature)
        return F.cross_entropy(logits, labels)

    def look(self, images: Pictures) -> tuple[Tensor, Tensor]:
        """Return features (N, D) and logits (N, classes) of images (N, C, H, W) uint8, in float32."""
        with mixed_precision(self.device), plain_attention(self.device):
            features, logits = self.model.both(to_pixels(images, self.device))
        return features.float(), logits.float()


def contrast(features: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Return the supervised contrastive loss, mean over the images that have another one of their class.

    Of image i it is the mean over the others p of its class of -log exp(z_i z_p / τ) / Σ_(a ≠ i) exp(z_i z_a / τ),
    where z are features of length 1.

    Args:
        features: (N, D).
        labels: (N,) int64.
        temperature: τ.

    Returns:
        One number, in nats; 0 where no two images are of one class.

    Source: Khosla et al., Supervised contrastive learning, 2020, equation 2.
    """
    itself = torch.eye(len(labels), dtype=torch.bool, device=features.device)
    same = (labels[:, None] == labels[None]) & ~itself
    directions = F.normalize(features, dim=1)
    said = (directions @ directions.T / temperature).masked_fill(itself, -torch.inf).log_softmax(1)
    of_each = said.masked_fill(~same, 0.0).sum(1) / same.sum(1).clamp_min(1)
    return -of_each.sum() / same.any(1).sum().clamp_min(1)
