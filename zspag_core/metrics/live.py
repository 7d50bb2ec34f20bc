"""Quick figures of a model in the making, on a fixed sample of real images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zspag_core.batching import looked_at_once
from zspag_core.data.dataset import Split
from zspag_core.data.images import concat
from zspag_core.errors import UnlearningError
from zspag_core.metrics.accuracy import accuracy, percent
from zspag_core.metrics.catalogue import FORGET_IMAGES, FORGET_SAMPLE
from zspag_core.metrics.membership import same_class_accuracy
from zspag_core.metrics.predictions import LabelledLogits, logits_of

if TYPE_CHECKING:
    from zspag_core.data.dataset import DataSet
    from zspag_core.models import Classifier

FORGET_SHARE = 0.25


class LiveGrades:
    """Finds acc_rt, acc_ut, loss_rt and mia of a model as it is, on a sample.

    The sample is drawn once: 750 remaining and 250 forgotten test images, and 250 forgotten training images for the
    same-class membership figure. The method sees none of it. Where there are no test images of forgotten classes, the
    accuracy on those training images, forget_images, stands in: an estimate, for the method saw them. Where
    they are not all that there are, the reporter is told of how many it is (forget_sample).

    Attributes:
        most: how many test images are drawn.
        glance_images: at how many of these a glance within an epoch is; 0 for none.
        names: what is found.
        in_part: beside it, of how many images an estimate is (forget_sample), where it is of a sample.
    """

    most, glance_images = 1000, 200

    def __init__(self, dataset: DataSet, forget: tuple[int, ...], seed: int) -> None:
        """Draw the sample."""
        generator = torch.Generator().manual_seed(seed)
        few = round(self.most * FORGET_SHARE)
        remaining = dataset.test.without_classes(forget).sample(self.most - few, generator)
        forgotten = dataset.test.of_classes(forget).sample(few, generator)
        members = dataset.train.of_classes(forget).sample(few, generator)
        parts = (remaining, forgotten, members)
        self.sample = Split(concat(*(p.images for p in parts)), torch.cat([p.labels for p in parts]))
        self.sizes = [len(p) for p in parts]
        self.forget, self.seed = forget, seed
        self.names = ("acc_rt", "acc_ut", "loss_rt", "mia", *(() if self.sizes[1] else (FORGET_IMAGES.per_epoch,)))
        in_part = not len(forgotten) and few < len(dataset.train.of_classes(forget))
        self.in_part = {FORGET_SAMPLE: few} if in_part else {}

    def grade(self, model: Classifier) -> dict[str, float | None]:
        """Return every figure, None where it is undefined.

        Raises:
            UnlearningError: the model's outputs are not numbers any more.
        """
        images = self.sample.images
        logits = logits_of(model, images, batch_size=looked_at_once(model, images))
        if not bool((logits < torch.inf).all()):
            raise UnlearningError("the model's outputs became NaN or infinite; try a smaller learning_rate")
        both = LabelledLogits(logits, self.sample.labels)
        remaining, forgotten, _members = self.sizes
        tested = both[: remaining + forgotten]
        figures = accuracy(tested.logits, tested.labels, self.forget)
        members = both[remaining + forgotten :]
        mia = self.membership(members, both[remaining : remaining + forgotten])
        found = {"acc_rt": figures.acc_rt, "acc_ut": figures.acc_ut, "loss_rt": figures.loss_rt, "mia": mia}
        if forgotten:
            return found
        return found | {FORGET_IMAGES.per_epoch: percent(members.logits.argmax(1) == members.labels)}

    def glance(self, model: Classifier) -> dict[str, float | None]:
        """Return acc_rt and acc_ut, or what stands in for that, of a small part of the sample."""
        few = round(self.glance_images * FORGET_SHARE)
        remaining, forgotten, _members = self.sizes
        begins, lengths = (0, remaining, remaining + forgotten), (self.glance_images - few, few, few)
        rest, gone, members = (range(at, at + min(n, m)) for at, n, m in zip(begins, lengths, self.sizes, strict=True))
        chosen = self.sample[torch.tensor([*rest, *(gone or members)], dtype=torch.int64)]
        logits = logits_of(model, chosen.images, batch_size=looked_at_once(model, chosen.images))
        tested = accuracy(logits, chosen.labels, self.forget)
        if gone:
            return {"acc_rt": tested.acc_rt, "acc_ut": tested.acc_ut}
        return {"acc_rt": tested.acc_rt, FORGET_IMAGES.per_epoch: tested.acc_ut}

    def membership(self, members: LabelledLogits, others: LabelledLogits) -> float | None:
        """Return the accuracy of the same-class attack."""
        return same_class_accuracy(members, others, seed=self.seed)


class QuickGrades(LiveGrades):
    """A look for trials of a sweep: at 100 test images, without membership, which 25 images say nothing of, or glances.

    With 1,000 images looks took most of a short trial's time, with membership at 100 still a third.
    """

    most, glance_images = 100, 0

    def membership(self, _members: LabelledLogits, _others: LabelledLogits) -> None:
        """Return that it is not measured."""
