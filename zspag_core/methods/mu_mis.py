"""MU-Mis: what a forget image's own class is more sensitive to in the image than another class is levelled out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from zspag_core.data.dataset import to_pixels
from zspag_core.devices import transformable_attention
from zspag_core.hyperparameters import knob
from zspag_core.methods.base import Unlearned, ZeroShotMethod
from zspag_core.methods.training_loop import Batches, SGDSettings, TrainingSamples, carry_out, spread
from zspag_core.pseudo_labels import random_labels

if TYPE_CHECKING:
    from zspag_core.data.dataset import Split
    from zspag_core.data.images import Pictures
    from zspag_core.methods.training_loop import Pair
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext


@dataclass(frozen=True, kw_only=True)
class MuMis(SGDSettings, ZeroShotMethod):
    """Minimise ‖∇x f_c(x)‖² - ‖∇x f_c'(x)‖² over forget samples x of class c, with c' drawn from the remaining classes.

    f are the logits. Nothing bounds the second term, so few and short steps.

    Source: Cheng et al., 2026 (MU-Mis), the difference of the sensitivities of target and irrelevant logit.
    """

    name: ClassVar[str] = "mu_mis"

    epochs: int = knob(10, "Passes over the forget samples.", minimum=1, maximum=1000, basic=True)
    learning_rate: float = knob(1e-5, "Step length of SGD.", minimum=1e-10, maximum=100.0, basic=True)
    weight_decay: float = knob(0.0, "Pull of the weights towards zero.", minimum=0.0, maximum=1.0)

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Level the sensitivities."""
        build = partial(
            Levelling,
            model,
            TrainingSamples.only(forget, classes),
            optimizer=partial(self.sgd, learning_rate=self.learning_rate),
            order=partial(spread, len(forget), 0, self.batch_size),
        )
        return carry_out(Unlearned(model), build, self.epochs, context)


class Levelling(Batches):
    """Steps on the difference between two logits' sensitivities to the image."""

    def descend(self, images: Pictures, pair: Pair, generator: torch.Generator) -> tuple[float, Tensor]:
        """Fill the gradients of the mean difference."""
        own = F.one_hot(self.samples.forget.labels[pair.forget], self.barred.shape[1]).float()
        other = random_labels(self.barred[pair.forget], generator)
        parts, total, found = self.in_parts(images), 0.0, list[Tensor]()
        sizes = [len(part) for part in parts]
        for part, mine, theirs in zip(parts, own.split(sizes), other.split(sizes), strict=True):
            with transformable_attention():
                loss, logits = self.difference(to_pixels(part, self.device), mine, theirs)
                loss = loss / len(images)
                loss.backward()
            total, found = total + loss.item(), [*found, logits.detach()]
        return total, torch.cat(found)

    def difference(self, pixels: Tensor, own: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """Return by how much the own logit's squared sensitivity leads the other's, summed, and the logits.

        Args:
            pixels: (N, C, H, W) float in [0, 1].
            own: (N, classes) one-hot, the classes of the images.
            other: (N, classes) one-hot, the classes that they are compared with.
        """
        pixels = pixels.requires_grad_()
        logits = self.read(pixels).float()
        mine, theirs = (self._sensitivity(logits, chosen.to(self.device), pixels) for chosen in (own, other))
        return (mine - theirs).sum(), logits

    @staticmethod
    def _sensitivity(logits: Tensor, chosen: Tensor, pixels: Tensor) -> Tensor:
        """Return the squared length of the slope of each image's chosen logit by its pixels, (N,)."""
        (slope,) = torch.autograd.grad((logits * chosen).sum(), pixels, create_graph=True)
        return slope.float().square().flatten(1).sum(1)
