"""What tells a descent from a fall: a loss that ends far above where it began, a step out of all proportion."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from zspag_core.batching import images_at_once

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.data.images import Pictures
    from zspag_core.methods.projected_sgd import ProjectedSGD, Pull

WATCHED_IMAGES = 64
MOST_RISE = 2.0
LONGEST_STEP = 0.5


class Guard:
    """Looks at the loss on the same few forget samples after every round, and at the length of every step.

    A round does harm where its loss is no number, where one of its steps would change the weights by more than half of
    their length, or where it leaves the loss at more than twice the lowest at which a round has ended so far, unless
    that is still no more than ln(classes), the loss of knowing nothing. Measured on digits (docs/choices.md, "When the
    descent falls"): rounds that went well ended at no more than 1.3 times the lowest, with steps of at most 0.2 of the
    weights; those that diverged ended at 2.2 times and far more, and took steps of 0.4 to 1e13 of the weights.
    """

    def __init__(
        self, loop: ProjectedSGD, images: Pictures, labels: Tensor, pull: Pull | None, batch_size: int
    ) -> None:
        """Measure the loss before the first step.

        Args:
            loop: the copy that is trained.
            images: (N, C, H, W) uint8 forget samples.
            labels: (N, classes) soft labels.
            pull: where their features are drawn to; None draws them nowhere.
            batch_size: how many of them go through the network together at most.
        """
        self.loop, self.images, self.labels, self.pull = loop, images, labels, pull
        every = math.ceil(len(images) / WATCHED_IMAGES)
        self.batches = torch.arange(0, len(images), every).split(images_at_once(loop.model, images, batch_size))
        self.ignorance = math.log(labels.shape[1])
        self.begin()

    def begin(self) -> None:
        """Take the loss of the weights as they are for the lowest so far."""
        self.lowest = self.last = self._loss()

    @staticmethod
    def stumble(loss: float, length: float) -> str:
        """Return what is wrong with a single step, "" for nothing.

        Args:
            loss: before the step.
            length: of the step, relative to the length of the weights.
        """
        if not math.isfinite(loss):
            return f"the loss became {loss}"
        if not length <= LONGEST_STEP:
            return f"a step became {length:.2g} times as long as the weights"
        return ""

    def fall(self) -> str:
        """Look at the loss after a round; return what is wrong with it, "" for nothing."""
        self.last = self._loss()
        if not math.isfinite(self.last):
            return f"the loss became {self.last}"
        if self.last > max(MOST_RISE * self.lowest, self.ignorance):
            return f"the loss rose from {self.lowest:.3g} to {self.last:.3g}"
        return ""

    def settle(self) -> None:
        """Take the round that was looked at last for one that stands."""
        self.lowest = min(self.lowest, self.last)

    @torch.inference_mode()
    def _loss(self) -> float:
        """Return the mean loss of the watched samples."""
        total = 0.0
        for index in self.batches:
            pull = None if self.pull is None else self.pull[index]
            total += len(index) * self.loop.loss(self.images[index], self.labels[index], pull)[0].item()
        return total / sum(map(len, self.batches))
