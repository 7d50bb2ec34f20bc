"""Spotter: masked distillation on forget images and on images near them, and features that are driven apart."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from zspag_core.data.dataset import to_pixels
from zspag_core.devices import mixed_precision, plain_attention
from zspag_core.hyperparameters import knob
from zspag_core.methods.base import Unlearned, ZeroShotMethod
from zspag_core.methods.training_loop import Batches, SGDSettings, TrainingSamples, carry_out, spread
from zspag_core.pseudo_labels import posterior_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zspag_core.data.dataset import Split
    from zspag_core.data.images import Pictures
    from zspag_core.methods.training_loop import Pair
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext


@dataclass(frozen=True, kw_only=True)
class Spotter(SGDSettings, ZeroShotMethod):
    """Minimise λ KL(masked original ‖ model) on forget images + (1 - λ) the same near them + μ their cosines.

    The targets are DELETE's. Near an image lies what a few signed gradient steps make of it, from a random start, away
    from the best class that it is not of. The cosines are those between penultimate features of images of one class in
    a step, mean over pairs: prototypes of scattered features bring nothing back.

    Source: Ha, Park and Yoon, 2026 (Spotter), section 4.
    """

    name: ClassVar[str] = "spotter"

    epochs: int = knob(10, "Passes over the forget samples.", minimum=1, maximum=1000, basic=True)
    learning_rate: float = knob(1e-4, "Step length of SGD.", minimum=1e-8, maximum=100.0, basic=True)
    share: float = knob(
        0.7,
        "λ: weight of the forget images themselves; what is left to 1 is that of images near.",
        minimum=0,
        maximum=1,
    )
    dispersion: float = knob(
        1.0, "μ: weight of driving features of one class apart.", minimum=0.0, maximum=1000.0, basic=True
    )
    nearness: float = knob(
        0.03, "How far near images may be, in standard deviations of the pixels.", minimum=0.0, maximum=10.0
    )
    attack_step: float = knob(
        0.01, "Length of a step towards them, in standard deviations of the pixels.", minimum=0.0, maximum=10.0
    )
    attack_steps: int = knob(3, "Steps towards them.", minimum=0, maximum=1000)

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Distil and scatter."""
        build = partial(
            Scattering,
            model,
            TrainingSamples.only(forget, classes),
            settings=self,
            optimizer=partial(self.sgd, learning_rate=self.learning_rate),
            order=partial(spread, len(forget), 0, self.batch_size),
        )
        return carry_out(Unlearned(model), build, self.epochs, context)


class StepOutputs(NamedTuple):
    """What the model in training says in a step.

    Attributes:
        features: (N, D) penultimate, of the images.
        logits: (N, classes), of the images.
        near: (N, classes), logits of the images near them.
    """

    features: Tensor
    logits: Tensor
    near: Tensor


class Scattering(Batches):
    """Steps of Spotter's objective."""

    def __init__(self, model: Classifier, *rest: Any, settings: Spotter, **options: Any) -> None:  # noqa: ANN401
        """Copy the model, which stays the teacher; all but `settings` is as in :class:`Batches`."""
        super().__init__(model, *rest, **options)
        self.teacher = copy.deepcopy(model).eval().requires_grad_(False)  # noqa: FBT003 - torch's signature
        self.settings = settings

    def descend(self, images: Pictures, pair: Pair, generator: torch.Generator) -> tuple[float, Tensor]:
        """Fill the gradients of the objective."""
        labels, barred = self.samples.forget.labels[pair.forget], self.barred[pair.forget]
        parts = [to_pixels(part, self.device) for part in self.in_parts(images)]
        truths = labels.to(self.device).split([len(part) for part in parts])
        near = [self.nearby(part, truth, generator) for part, truth in zip(parts, truths, strict=True)]
        teacher = [
            posterior_labels(torch.cat([self.ask(part) for part in seen]).cpu(), barred) for seen in (parts, near)
        ]
        objective = partial(self.objective, teacher=teacher[0], teacher_near=teacher[1], labels=labels)
        if len(parts) > 1:
            return self._descend_in_parts(parts, near, objective)
        views = self.look(parts[0], near[0])
        loss = objective(views)
        loss.backward()
        return loss.item(), views.logits.detach()

    def _descend_in_parts(
        self, parts: Sequence[Tensor], near: Sequence[Tensor], objective: Callable[[StepOutputs], Tensor]
    ) -> tuple[float, Tensor]:
        """Fill the gradients though the step's images do not fit together: the loss is derived by the views first."""
        with torch.no_grad():
            found = StepOutputs(*map(torch.cat, zip(*map(self.look, parts, near), strict=True)))
        views = StepOutputs(*(value.requires_grad_() for value in found))
        loss = objective(views)
        slopes = torch.autograd.grad(loss, views)
        split = zip(*(slope.split([len(part) for part in parts]) for slope in slopes), strict=True)
        for part, beside, pulls in zip(parts, near, split, strict=True):
            torch.autograd.backward(self.look(part, beside), pulls)
        return loss.item(), views.logits.detach()

    def look(self, pixels: Tensor, near: Tensor) -> StepOutputs:
        """Return what the model in training says of images and of those near them, in float32."""
        with mixed_precision(self.device), plain_attention(self.device):
            features, logits = self.model.both(pixels)
        return StepOutputs(features.float(), logits.float(), self.read(near).float())

    def objective(self, views: StepOutputs, teacher: Tensor, teacher_near: Tensor, labels: Tensor) -> Tensor:
        """Return what a step minimises.

        Args:
            views: what the model says.
            teacher: (N, classes), the masked teacher's probabilities of the images.
            teacher_near: likewise of the images near them.
            labels: (N,), whose images are driven apart.
        """
        share = self.settings.share
        kept = F.kl_div(views.logits.log_softmax(1), teacher.to(self.device), reduction="batchmean")
        beside = F.kl_div(views.near.log_softmax(1), teacher_near.to(self.device), reduction="batchmean")
        return share * kept + (1 - share) * beside + self.settings.dispersion * alikeness(views.features, labels)

    def nearby(self, pixels: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Return images near some, (N, C, H, W) in [0, 1].

        Args:
            pixels: (N, C, H, W) float in [0, 1].
            labels: (N,) their classes in training.
            generator: source of the start, on the CPU.
        """
        settings, std = self.settings, self.model.std
        aim = self.ask(pixels).scatter(1, labels[:, None], -torch.inf).argmax(1)
        low, high = ((pixels + sign * settings.nearness * std).clamp(0, 1) for sign in (-1, 1))
        start = 2 * torch.rand(pixels.shape, generator=generator).to(self.device) - 1
        near = (pixels + settings.nearness * std * start).clamp(0, 1)
        for _ in range(settings.attack_steps):
            near = near.detach().requires_grad_()
            with mixed_precision(self.device), plain_attention(self.device):
                loss = F.cross_entropy(self.teacher(near).float(), aim, reduction="sum")
            (slope,) = torch.autograd.grad(loss, near)
            near = (near + settings.attack_step * std * slope.sign()).clamp(low, high)
        return near.detach()

    @torch.no_grad()
    def ask(self, pixels: Tensor) -> Tensor:
        """Return the teacher's logits (N, classes) of pixels (N, C, H, W) in [0, 1], in float32."""
        with mixed_precision(self.device), plain_attention(self.device):
            logits: Tensor = self.teacher(pixels)
        return logits.float()


def alikeness(features: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cosine between features (N, D) of two different images of one class; 0 where there are no two."""
    same = (labels[:, None] == labels[None]).to(features.device)
    same &= ~torch.eye(len(labels), dtype=torch.bool, device=features.device)
    directions = F.normalize(features, dim=1)
    return (directions @ directions.T)[same].sum() / same.sum().clamp_min(1)
