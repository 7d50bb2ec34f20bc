"""How long work says where it is, and how it is stopped."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from zspag_core.models import Classifier


_PAUSES = threading.local()


def worked_clock() -> float:
    """Return a number of seconds that grows while this thread works, and stands still in its pauses."""
    return time.perf_counter() - getattr(_PAUSES, "seconds", 0.0)


def leave_out(seconds: float) -> None:
    """Take a pause of this thread, which has just ended, out of `worked_clock`: a person made it, not the work."""
    _PAUSES.seconds = getattr(_PAUSES, "seconds", 0.0) + seconds


@dataclass(frozen=True)
class Frame:
    """What a model sees in some watched images after an epoch.

    Attributes:
        epoch: its number; 0 is the original model.
        layer: the layer that the maps are of.
        images: (n, C, H, W) uint8.
        labels: (n,) int64.
        maps: (n, h, w) float32, unscaled GradCAM maps of each image's own label.
        probability: (n,) float32, of the own label.
        predicted: (n,) int64.
    """

    epoch: int
    layer: str
    images: Tensor
    labels: Tensor
    maps: Tensor
    probability: Tensor
    predicted: Tensor


class Reporter:
    """Receives counted progress; this base ignores it.

    A subclass may raise :class:`zspag_core.errors.Cancelled` from any of its methods (that is how a run is cancelled)
    or block in :meth:`epoch` (that is how it is paused). The core calls at least once per batch.
    """

    def progress(self, stage: str, done: int, total: int, **figures: float) -> None:
        """Say that `done` of `total` units of `stage` are finished; `figures` are what a person may like to see."""

    def epoch(self, number: int, total: int, model: Classifier, **figures: float) -> None:
        """Say that epoch `number` (from 1) of `total` has ended; `model` is for looking at, never for changing."""

    def partway(self, epoch: float, model: Classifier, **figures: float) -> None:
        """Say how `model` is after a step within an epoch: 2.4 is in the third; called at every step, so be quick."""

    def watch(self, frame: Frame) -> None:
        """Show what the model sees in the watched images; comes just before the epoch it belongs to."""

    def note(self, sentence: str) -> None:
        """Say what a person should know before the work goes on."""

    def graded(self, result: Mapping[str, Any]) -> None:
        """Show what a run has come to while the last part of it goes on: result.json as far as it is known."""


class Relay(Reporter):
    """Passes everything on to another reporter; a subclass adds to it or changes it on the way."""

    def __init__(self, inner: Reporter) -> None:
        """Stand before `inner`."""
        self.inner = inner

    def progress(self, stage: str, done: int, total: int, **figures: float) -> None:
        """Pass progress on."""
        self.inner.progress(stage, done, total, **figures)

    def epoch(self, number: int, total: int, model: Classifier, **figures: float) -> None:
        """Pass an epoch on."""
        self.inner.epoch(number, total, model, **figures)

    def partway(self, epoch: float, model: Classifier, **figures: float) -> None:
        """Pass a part of an epoch on."""
        self.inner.partway(epoch, model, **figures)

    def watch(self, frame: Frame) -> None:
        """Pass a frame on."""
        self.inner.watch(frame)

    def note(self, sentence: str) -> None:
        """Pass a sentence on."""
        self.inner.note(sentence)

    def graded(self, result: Mapping[str, Any]) -> None:
        """Pass a result on."""
        self.inner.graded(result)


class AsStage(Relay):
    """Passes progress on as that of the stage which the work is part of."""

    def __init__(self, inner: Reporter, stage: str, before: int = 0, total: int | None = None) -> None:
        """Stand before `inner`.

        Args:
            inner: who is told.
            stage: the stage's name.
            before: units of the stage that were done before the work began.
            total: units of the whole stage; None where the work's own total is that.
        """
        super().__init__(inner)
        self.stage, self.before, self.total = stage, before, total

    def progress(self, stage: str, done: int, total: int, **figures: float) -> None:
        """Report under the stage's name."""
        self.inner.progress(self.stage, self.before + done, self.total or total, **figures)


SILENT = Reporter()
