"""Relearning with the rest kept: steps until the class is back while the remaining classes are still read."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

from zspag_core.data.dataset import Split
from zspag_core.data.images import concat
from zspag_core.metrics.deep import (
    CHECK_EVERY,
    CHECKED_IMAGES,
    RELEARNED_SHARE,
    RELEARNING_STEPS,
    Relearning,
    accuracy_on,
    descend,
    neutralise_head,
)
from zspag_core.models.base import evaluating
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.data.dataset import DataSet
    from zspag_core.models.base import Classifier

MARGIN = 2.0  # points of Acc_rt that may be lost
RATE, BATCH = 0.001, 64  # as in relearning, and as many images of the remaining classes


def relearn_with_rest(
    model: Classifier,
    dataset: DataSet,
    forget: Sequence[int],
    known: float | None,
    *,
    seed: int,
    max_steps: int = RELEARNING_STEPS,
    report: Reporter = SILENT,
) -> Relearning | None:
    """Count the steps of fine-tuning until the forgotten classes are back and nothing else is gone.

    As :func:`zspag_core.metrics.deep.relearning`, from the same neutral final layer, but every step learns from as many
    images of remaining classes too, and the goal is both: 90 % of the original's accuracy on the forgotten classes, and
    accuracy on the remaining ones at most 2 points below what this very model has without the forgotten ones. A model
    that comes to read everything as the forgotten class has not won it back.

    Args:
        model: the classifier; left as it was.
        dataset: whose training images are learnt from and whose test images are asked, 256 of either kind.
        forget: the forgotten classes.
        known: the original model's accuracy on them, percent.
        seed: models that are compared get the same images.
        max_steps: where to give up.
        report: receives progress at every step, as stage "relearning".

    Returns:
        Steps, seen at every second one, whether both goals were reached, and accuracy on the rest by then; None where
        a forgotten class has no training images or the original knew none of theirs.

    Source: added here, after Chundawat et al., Zero-shot machine unlearning, 2023.
    """
    gone, rest = dataset.train.of_classes(forget), dataset.train.without_classes(forget)
    if not known or not len(rest) or not all(bool((gone.labels == k).any()) for k in forget):
        return None
    generator = torch.Generator().manual_seed(seed)
    asked, others = dataset.test.of_classes(forget), dataset.test.without_classes(forget)
    asked, others = asked.sample(CHECKED_IMAGES, generator), others.sample(CHECKED_IMAGES, generator)
    pupil = copy.deepcopy(model).requires_grad_()
    with evaluating(pupil), torch.enable_grad():
        neutralise_head(pupil, gone.sample(CHECKED_IMAGES, generator))
        least = _without(pupil, others, forget) - MARGIN
        for step in range(max_steps + 1):
            report.progress("relearning", step, max_steps)
            looked = step % CHECK_EVERY == 0 or step == max_steps
            kept = accuracy_on(pupil, others) if looked else 0.0
            reached = looked and kept >= least and accuracy_on(pupil, asked) >= RELEARNED_SHARE * known
            if reached:
                break
            if step < max_steps:
                descend(pupil, _joined(gone, rest, generator), RATE)
    return Relearning(step, reached, kept)


def _joined(gone: Split, rest: Split, generator: torch.Generator) -> Split:
    """Return a batch of as many images of either kind, drawn with replacement."""
    parts = [part[torch.randint(len(part), (BATCH,), generator=generator)] for part in (gone, rest)]
    return Split(concat(*(part.images for part in parts)), torch.cat([part.labels for part in parts]))


def _without(model: Classifier, others: Split, forget: Sequence[int]) -> float:
    """Return the accuracy on remaining images with the forgotten outputs left out, percent."""
    blocked = copy.deepcopy(model)
    head, gone = blocked.head, list(forget)
    bias = head.weight.new_zeros(len(head.weight)) if head.bias is None else head.bias.detach().clone()
    bias[gone] = -torch.inf
    head.bias = torch.nn.Parameter(bias)
    return accuracy_on(blocked, others)
