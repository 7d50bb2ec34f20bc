"""Teach the layers above an erased stage to answer stand-ins as the original did, and forget images like them."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from zspag_core.data.augment import crop_and_flip
from zspag_core.data.dataset import to_pixels
from zspag_core.devices import device_of, mixed_precision
from zspag_core.erasing.alignment import Alignment
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.erasing.recall import Disturbance
    from zspag_core.erasing.stand_ins import StandIns
    from zspag_core.erasing.written import Written
    from zspag_core.models import Classifier

BATCH = 128
FORGET_WEIGHT, LOGITS_WEIGHT = 0.3, 0.02
HEAD_FASTER = 10 / 3


@dataclass(frozen=True)
class Course:
    """How it is taught.

    Attributes:
        disturbance: how images are moved and mirrored; none is blackened.
        passes: over forget images and stand-ins, each also moved and mirrored once.
        learning_rate: of Adam; a head alone is taught 10/3 times as fast.
        alignment: weight of what :class:`Alignment` measures; 0 leaves it out.
    """

    disturbance: Disturbance
    passes: int = 16
    learning_rate: float = 3e-4
    alignment: float = 0.02

    def steps(self, images: int) -> int:
        """Return how many steps are made, given how many forget images and stand-ins there are."""
        return self.passes * -(-2 * images // BATCH)


@dataclass(frozen=True)
class RefitTargets:
    """What is taught.

    Attributes:
        images: (N, C, H, W) uint8, forget images and stand-ins, also moved and mirrored.
        stands_in: (N,) bool.
        features: (N, D), the original's.
        logits: (N, R), the original's of the remaining classes.
    """

    images: Tensor
    stands_in: Tensor
    features: Tensor
    logits: Tensor

    def answers(self, which: Tensor) -> Tensor:
        """Return the original's probabilities of the remaining classes for some images, (n, R)."""
        return self.logits[which].softmax(1)


@torch.no_grad()
def outputs_anew(model: Classifier, remaining: Sequence[int]) -> Classifier:
    """Return a copy of a classifier whose forgotten outputs begin anew: each is the mean of the remaining ones.

    What an output's weights have learnt is its class, and of images that are known by heart each single one: taught
    from there to answer low, it goes on telling the images of the training from others. Retrain's was never taught that
    an image is its own.

    Args:
        model: the classifier.
        remaining: the remaining classes.
    """
    begun = copy.deepcopy(model)
    stays = torch.isin(torch.arange(len(begun.head.weight)), torch.tensor(list(remaining)))
    for rows in begun.head.parameters(recurse=False):
        rows[~stays] = rows[stays].mean(0)
    return begun


def refit(
    original: Classifier,
    erased: Classifier,
    stage: Written,
    images: Tensor,
    stand_ins: StandIns,
    remaining: Sequence[int],
    course: Course,
    *,
    generator: torch.Generator,
    report: Reporter = SILENT,
) -> tuple[Classifier, float]:
    """Return a copy of an erased model whose later stages and head were taught by the original, and the last loss.

    Stand-ins are taught the original's remaining logits and features, forget images its probabilities of the remaining
    classes, and to look at every later stage like stand-ins that are answered alike. Above the last stage there is the
    head alone, and no features are taught.

    Args:
        original: the teacher, in eval mode.
        erased: what is taught; not changed.
        stage: the erased one; it and those below stay as they are.
        images: (N, C, H, W) uint8 forget images.
        stand_ins: for the remaining classes.
        remaining: the remaining classes.
        course: how.
        generator: of order and moves.
        report: receives progress after every step, as stage "unlearn".
    """
    lesson = _lesson(original, images, stand_ins, remaining, course.disturbance, generator)
    pupil = copy.deepcopy(erased).eval().requires_grad_(False)  # noqa: FBT003 - torch's signature
    later = [pupil.get_submodule(name) for name in stage.above]
    weights = [weight for part in (*later, pupil.head) for weight in part.parameters(recurse=False)]
    for weight in weights:
        weight.requires_grad_()
    optimizer = torch.optim.Adam(weights, lr=course.learning_rate * (1 if later else HEAD_FASTER))
    order = [
        drawn
        for _ in range(course.passes)
        for drawn in torch.randperm(len(lesson.images), generator=generator).split(BATCH)
    ]
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, len(order)))
    alignment, found = _aligned(pupil, stage, lesson, course), 0.0
    with alignment.watching() if alignment else nullcontext():
        for done, drawn in enumerate(order, start=1):
            loss = _loss(pupil, lesson, drawn, remaining, features=bool(later))
            if alignment:
                stays = lesson.stands_in[drawn].to(device_of(pupil))
                loss = loss + course.alignment * alignment.loss(lesson.answers(drawn), stays)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            found = loss.item()
            report.progress("unlearn", done, len(order))
    return pupil.requires_grad_(), found


def _aligned(pupil: Classifier, stage: Written, lesson: RefitTargets, course: Course) -> Alignment | None:
    """Return what measures how stages above look; None where there is none, or nobody asks."""
    alignment = Alignment(pupil, stage.name)
    if not alignment.stages or not course.alignment:
        return None
    stays = lesson.stands_in
    alignment.begin(pupil, lesson.images[stays], lesson.answers(stays))
    return alignment


@torch.no_grad()
def _lesson(
    original: Classifier,
    images: Tensor,
    stand_ins: StandIns,
    remaining: Sequence[int],
    disturbance: Disturbance,
    generator: torch.Generator,
) -> RefitTargets:
    """Return what the original says of all images, as they are and moved."""
    together = torch.cat([images, stand_ins.images])
    moved = crop_and_flip(together, padding=disturbance.crop, flip=disturbance.flip, generator=generator)
    together = torch.cat([together, moved])
    features, logits = list[Tensor](), list[Tensor]()
    for batch in together.split(BATCH):
        with mixed_precision(device_of(original)):
            found = original.both(to_pixels(batch, device_of(original)))
        features.append(found[0].float())
        logits.append(found[1].float()[:, list(remaining)])
    stands_in = torch.arange(len(together)) % (len(images) + len(stand_ins.images)) >= len(images)
    return RefitTargets(together, stands_in, torch.cat(features), torch.cat(logits))


def _loss(
    pupil: Classifier, lesson: RefitTargets, drawn: Tensor, remaining: Sequence[int], *, features: bool
) -> Tensor:
    """Return the loss of some images."""
    device = device_of(pupil)
    with mixed_precision(device):
        found, logits = pupil.both(to_pixels(lesson.images[drawn], device))
    logits, wanted = logits.float(), lesson.logits[drawn]
    answers = torch.zeros_like(logits)
    answers[:, list(remaining)] = lesson.answers(drawn)
    stays = lesson.stands_in[drawn].to(device)
    each = F.cross_entropy(logits, answers, reduction="none")
    loss = _mean(each[stays]) + FORGET_WEIGHT * _mean(each[~stays])
    own = logits[:, list(remaining)]
    apart = (own - own.mean(1, keepdim=True)) - (wanted - wanted.mean(1, keepdim=True))
    loss = loss + LOGITS_WEIGHT * _mean(apart[stays].square().mean(1))
    if features:
        scale = lesson.features.std(0) + 1e-6
        loss = loss + _mean(((found.float() - lesson.features[drawn]) / scale)[stays].square().mean(1))
    return loss


def _mean(values: Tensor) -> Tensor:
    """Return the mean, 0 of nothing."""
    return values.sum() / max(1, len(values))
