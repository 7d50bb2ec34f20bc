"""Quick figures after every epoch, on a fixed sample of real images, beside what the method itself reports."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.data.dataset import Split
from zspag_core.data.images import concat
from zspag_core.errors import UnlearningError
from zspag_core.metrics.accuracy import accuracy, percent
from zspag_core.metrics.catalogue import FORGET_IMAGES, FORGET_SAMPLE
from zspag_core.metrics.membership import same_class
from zspag_core.metrics.predictions import Labelled, logits_of
from zspag_core.progress import Relay, Reporter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.data.dataset import DataSet
    from zspag_core.models import Classifier

LIVE_IMAGES = 1000
FORGET_SHARE = 0.25


class LiveGrades(Relay):
    """Stands between a method and the reporter: passes progress on, and adds acc_rt, acc_ut, loss_rt and mia to epochs.

    The sample is drawn once: 750 remaining and 250 forgotten test images, and 250 forgotten training images for the
    same-class membership figure. The method sees none of it. Where there are no test images of forgotten classes, the
    accuracy on those training images, forget_images, stands in: an estimate, for the method saw them. Where
    they are not all that there are, the reporter is told of how many it is (forget_sample).

    Attributes:
        rows: one record an epoch.
        seconds: time that grading took, which is not the method's.
    """

    def __init__(
        self, dataset: DataSet, forget: tuple[int, ...], seed: int, inner: Reporter, images: int = LIVE_IMAGES
    ) -> None:
        """Draw the sample, of so many test images."""
        super().__init__(inner)
        generator = torch.Generator().manual_seed(seed)
        few = round(images * FORGET_SHARE)
        remaining = dataset.test.without_classes(forget).sample(images - few, generator)
        forgotten = dataset.test.of_classes(forget).sample(few, generator)
        members = dataset.train.of_classes(forget).sample(few, generator)
        parts = (remaining, forgotten, members)
        self.sample = Split(concat(*(p.images for p in parts)), torch.cat([p.labels for p in parts]))
        self.sizes = [len(p) for p in parts]
        self.forget, self.seed = forget, seed
        self.in_part = (
            {FORGET_SAMPLE: few} if not len(forgotten) and few < len(dataset.train.of_classes(forget)) else {}
        )
        self.rows: list[dict[str, Any]] = []
        self.seconds = 0.0

    def epoch(self, number: int, total: int, model: Classifier, **figures: float) -> None:
        """Grade the model as it is now, then pass the epoch on with what was found.

        Raises:
            UnlearningError: the model's outputs are not numbers any more.
        """
        start = time.perf_counter()
        found = self._grade(model)
        self.seconds += time.perf_counter() - start
        self.rows.append({"epoch": number, **found})
        known = {name: value for name, value in found.items() if value is not None}
        self.inner.epoch(number, total, model, **(figures | known | self.in_part))

    def restore(self, epochs: Mapping[int, tuple[int, Mapping[str, float]]]) -> None:
        """Take the rows of an earlier attempt from what it told: by epoch, how many there may be and the figures."""
        names = ["acc_rt", "acc_ut", "loss_rt", "mia", *([] if self.sizes[1] else [FORGET_IMAGES.per_epoch])]
        self.rows += [{"epoch": k} | {name: figures.get(name) for name in names} for k, (_, figures) in epochs.items()]

    def merge(self, history: list[dict[str, float]]) -> list[dict[str, Any]]:
        """Return the method's own rows with the grades of the same epochs."""
        graded = {row["epoch"]: row for row in self.rows}
        empty = {"acc_rt": None, "acc_ut": None, "mia": None}
        return [empty | row | graded.get(row["epoch"], {}) for row in history]

    def _grade(self, model: Classifier) -> dict[str, float | None]:
        logits = logits_of(model, self.sample.images)
        if not bool((logits < torch.inf).all()):
            raise UnlearningError("the model's outputs became NaN or infinite; try a smaller learning_rate")
        both = Labelled(logits, self.sample.labels)
        remaining, forgotten, _members = self.sizes
        tested = both[: remaining + forgotten]
        figures = accuracy(tested.logits, tested.labels, self.forget)
        members = both[remaining + forgotten :]
        mia = same_class(members, both[remaining : remaining + forgotten], seed=self.seed)
        found = {"acc_rt": figures.acc_rt, "acc_ut": figures.acc_ut, "loss_rt": figures.loss_rt, "mia": mia.accuracy}
        if forgotten:
            return found
        return found | {FORGET_IMAGES.per_epoch: percent(members.logits.argmax(1) == members.labels)}
