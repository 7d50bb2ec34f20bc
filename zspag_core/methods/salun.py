"""SalUn: random labels, taught only to the weights that the forget loss depends on most."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from zspag_core.batching import images_at_once
from zspag_core.data.dataset import to_pixels
from zspag_core.devices import plain_attention
from zspag_core.hyperparameters import knob
from zspag_core.methods.base import RetainMethod, Unlearned, ZeroShotMethod, timed
from zspag_core.methods.finetune import draw_labels, relabelled_loss
from zspag_core.methods.training_loop import SGDSettings, Steps, TrainingSamples, carry_out, spread
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext

SHARE_HELP = "Share of all weights that may move: those with the largest gradient of the forget loss."
MASK_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class _Salient(SGDSettings):
    """What both variants share."""

    epochs: int
    learning_rate: float
    mask_share: float

    def _train(self, model: Classifier, samples: TrainingSamples, context: RunContext) -> Unlearned:
        """Relabel, find the mask, train under it."""
        run = Unlearned(model)
        with timed(run.seconds, "labels"):
            labels = run.labels = draw_labels(model, samples, context.generator)

        def build() -> MaskedSteps:
            return MaskedSteps(
                model,
                samples,
                relabelled_loss(samples, labels),
                mask=salient(forget_gradient(model, samples.forget, context.report), self.mask_share),
                optimizer=partial(self.sgd, learning_rate=self.learning_rate),
                order=partial(spread, len(samples.forget), len(samples.retain), self.batch_size),
            )

        return carry_out(run, build, self.epochs, context)


@dataclass(frozen=True, kw_only=True)
class SalUn(_Salient, RetainMethod):
    """Fine-tune on remaining and randomly labelled forget data; the less salient half of the weights stays put.

    An epoch is one pass over all samples; every step holds the same share of forget samples.

    Source: Fan et al., 2024 (SalUn), equations 3 to 5.
    """

    name: ClassVar[str] = "salun"

    epochs: int = knob(10, "Passes over remaining and forget samples.", minimum=1, maximum=1000, basic=True)
    learning_rate: float = knob(1e-3, "Step length of SGD.", minimum=1e-7, maximum=100.0, basic=True)
    mask_share: float = knob(0.5, SHARE_HELP, minimum=0.0, maximum=1.0)

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        retain: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Train under the mask."""
        return self._train(model, TrainingSamples(forget, retain, classes), context)


@dataclass(frozen=True, kw_only=True)
class SalUnZS(_Salient, ZeroShotMethod):
    """Train randomly labelled forget data alone into the most salient weights.

    Source: Fan et al., 2024 (SalUn) without remaining data, as Chen et al. (ZS-PAG) use it.
    """

    name: ClassVar[str] = "salun_zs"

    epochs: int = knob(10, "Passes over the forget samples.", minimum=1, maximum=1000, basic=True)
    learning_rate: float = knob(1e-4, "Step length of SGD.", minimum=1e-7, maximum=100.0, basic=True)
    mask_share: float = knob(0.8, SHARE_HELP, minimum=0.0, maximum=1.0)

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Train under the mask."""
        return self._train(model, TrainingSamples.only(forget, classes), context)


class MaskedSteps(Steps):
    """Steps after which every weight outside a mask is what it was.

    The step is masked and not the gradient: momentum and weight decay would carry masked weights along.
    """

    def __init__(self, model: Classifier, *rest: Any, mask: dict[str, Tensor], **options: Any) -> None:  # noqa: ANN401
        """Copy the model; `mask` says by parameter name which weights may move, all else is as in :class:`Steps`."""
        super().__init__(model, *rest, **options)
        self.moving = [
            (now, before.detach(), mask[name])
            for (name, now), before in zip(self.model.named_parameters(), model.parameters(), strict=True)
        ]

    def update(self) -> None:
        """Take the optimiser's step under the mask."""
        super().update()
        with torch.no_grad():
            for now, before, mask in self.moving:
                now.copy_(torch.where(mask, now, before))


def forget_gradient(model: Classifier, forget: Split, report: Reporter = SILENT) -> dict[str, Tensor]:
    """Return the gradient of the mean cross-entropy of all forget samples, in float32, by parameter name.

    Args:
        model: the original classifier; it is not changed.
        forget: the samples under their true labels.
        report: receives progress after every batch that the loop has not begun yet.
    """
    network, device = copy.deepcopy(model).eval().requires_grad_(), model.head.weight.device
    network.zero_grad(set_to_none=True)
    size = images_at_once(network, forget.images, MASK_BATCH)
    for images, labels in zip(forget.images.split(size), forget.labels.split(size), strict=True):
        with plain_attention(device):
            logits = network(to_pixels(images, device))
        (F.cross_entropy(logits, labels.to(device), reduction="sum") / len(forget)).backward()
        report.progress("unlearn", 0, 1)
    return {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad
        for name, weight in network.named_parameters()
    }


def salient(gradient: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Return bool masks of the share of all weights with the largest absolute gradient, ranked over the whole network.

    Args:
        gradient: by parameter name.
        share: of all weights together, in [0, 1]; rounded to a whole number of weights.

    Source: Fan et al., 2024 (SalUn), equation 3; the threshold is a quantile, as in the official code.
    """
    sizes = torch.cat([part.abs().flatten() for part in gradient.values()])
    flat = torch.zeros(len(sizes), dtype=torch.bool, device=sizes.device)
    flat[sizes.topk(round(share * len(sizes))).indices] = True
    parts = flat.split([part.numel() for part in gradient.values()])
    return {name: mask.view(part.shape) for (name, part), mask in zip(gradient.items(), parts, strict=True)}
