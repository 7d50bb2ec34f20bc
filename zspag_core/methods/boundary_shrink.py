"""Boundary shrink: every forget image is taught to be the class just across the nearest boundary."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch
from torch.nn import functional as F

from zspag_core.attacks.fgsm import FGSM
from zspag_core.batching import images_at_once
from zspag_core.data.dataset import to_pixels
from zspag_core.hyperparameters import knob
from zspag_core.methods.base import Unlearned, ZeroShotMethod, timed
from zspag_core.methods.training_loop import Pair, SGDSettings, Steps, TrainingSamples, carry_out, spread
from zspag_core.metrics.predictions import outputs_of_pixels
from zspag_core.progress import AsStage, Reporter
from zspag_core.pseudo_labels import PseudoLabels, barred_labels, second_best_labels

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext

CHUNK = 1024  # forget images attacked at once: bounds the memory that float images take
CHUNK_BYTES = CHUNK * 3 * 64 * 64  # of uint8 images; fewer of larger ones


@dataclass(frozen=True, kw_only=True)
class AwayFrom(FGSM):
    """One step of full length away from the class given as "target", wherever that leads.

    Source: Goodfellow et al., 2015, section 4.
    """

    title = "FGSM away"

    def objective(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the negative cross-entropy of the class to leave, (n,)."""
        return -F.cross_entropy(logits, targets, reduction="none")


@dataclass(frozen=True, kw_only=True)
class BoundaryShrink(SGDSettings, ZeroShotMethod):
    """Relabel each forget image with the class of its FGSM neighbour, then train on these labels.

    Where the neighbour lies in a forgotten class or is read as the image was trained, its best class outside these is
    taken. All weights move.

    Source: Chen et al., 2023 (Boundary Unlearning), section 3.2.
    """

    name: ClassVar[str] = "boundary_shrink"

    epochs: int = knob(10, "Passes over the forget samples.", minimum=1, maximum=1000, basic=True)
    learning_rate: float = knob(3e-5, "Step length of SGD.", minimum=1e-8, maximum=100.0, basic=True)
    bound: float = knob(
        0.1,
        "How far the neighbour is from the image: larger crosses more boundaries, less certainly the nearest.",
        minimum=0.0,
        maximum=1.0,
        unit="pixel range",
        basic=True,
    )
    weight_decay: float = knob(0.0, "Pull of the weights towards zero.", minimum=0.0, maximum=1.0)

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Look across the boundary, relabel, descend."""
        run = Unlearned(model)
        with timed(run.seconds, "labels"):
            labels = self.relabel(model, forget, classes, context.report)
            run.labels = PseudoLabels(labels, "neighbour")

        def loss(logits: Tensor, pair: Pair) -> Tensor:
            return F.cross_entropy(logits, labels[pair.forget].to(logits.device))

        build = partial(
            Steps,
            model,
            TrainingSamples.only(forget, classes),
            loss,
            optimizer=partial(self.sgd, learning_rate=self.learning_rate),
            order=partial(spread, len(forget), 0, self.batch_size),
        )
        return carry_out(run, build, self.epochs, context)

    def relabel(self, model: Classifier, forget: Split, classes: tuple[int, ...], report: Reporter) -> Tensor:
        """Return one-hot labels (N, C): the best remaining class of each forget sample's neighbour."""
        attack = AwayFrom(epsilon=self.bound, confidence=1.0)
        device, parts = model.head.weight.device, []
        chunk = max(images_at_once(model, forget.images), min(CHUNK, CHUNK_BYTES // forget.images[:1].nbytes))
        for first in range(0, len(forget), chunk):
            images = to_pixels(forget.images[first : first + chunk], device)
            truth = forget.labels[first : first + chunk].to(device)
            labelling = AsStage(report, "labels", first, len(forget))
            found = attack.perturb(model, images, truth, generator=torch.Generator(), report=labelling)
            parts.append(outputs_of_pixels(model, found.images).logits)
        barred = barred_labels(forget.labels, classes, model.config.num_classes)
        return second_best_labels(torch.cat(parts), barred)
