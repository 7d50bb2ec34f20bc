"""The log of a run's epochs: each is looked at, graded, kept and passed on, once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from zspag_core.methods.base import timed
from zspag_core.progress import Frame, Relay, Reporter
from zspag_core.runs.stage_cache import NO_CACHE, StageCache

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.explain.watch import Watch
    from zspag_core.metrics.live import LiveGrades
    from zspag_core.models import Classifier

PART = "epochs"
"""Under which name the cache keeps the log: number of an epoch -> how many there may be and its figures; its frames."""
GLANCE_SECONDS, GLANCE_SHARE = 2.0, 0.05
"""So long after the last look one glances at a model within an epoch, and takes at most that share of the time."""
NOTHING: tuple[dict[int, tuple[int, dict[str, float]]], dict[int, Frame]] = ({}, {})


class EpochLog(Relay):
    """Stands between a method and the reporter.

    Every epoch gets a frame of the watched images, which is sent first, and quick grades beside the method's own
    figures. What an earlier attempt logged is told anew by :meth:`begin`; a method that goes on from there may speak
    of its last epochs again, which are not logged twice.

    Attributes:
        rows: number of an epoch, 0 for the original model -> its grades.
        frames: number of an epoch -> what the model saw in the watched images.
        reached: how far an earlier attempt came, in words.
        seconds: time that looking and grading took here, which is not the method's.
    """

    def __init__(self, live: LiveGrades, watch: Watch, inner: Reporter, cache: StageCache = NO_CACHE) -> None:
        """Recall what an earlier attempt logged.

        Args:
            live: grades a model.
            watch: looks at a model.
            inner: who is told.
            cache: keeps the log.
        """
        super().__init__(inner)
        self._live, self._watch, self._cache = live, watch, cache
        epochs, frames = cache.recall(PART) or NOTHING
        self._epochs, self.frames = dict(epochs), dict(frames)
        self._known = frozenset(self._epochs)
        self.rows = {k: {name: figures.get(name) for name in live.names} for k, (_, figures) in epochs.items()}
        self.reached = f"epoch {max(self._known)}" if self._known else "its last finished stage"
        self._spent = {"log": 0.0}
        self._glance_at = 0.0

    @property
    def seconds(self) -> float:
        """Return the seconds that looking and grading took."""
        return self._spent["log"]

    @property
    def layer(self) -> str | None:
        """Return the layer that frames are of, None where the model has none to draw."""
        return self._watch.layer

    def begin(self, model: Classifier) -> None:
        """Log the original model as epoch 0, then tell the known epochs in order; it stands for their models too."""
        self.epoch(0, 0, model)
        for number in sorted(self._known):
            total, figures = self._epochs[number]
            if number in self.frames:
                self.inner.watch(self.frames[number])
            self.inner.epoch(number, total, model, **figures)

    def epoch(self, number: int, total: int, model: Classifier, **figures: float) -> None:
        """Look at the model as it is now, grade it, keep both and pass the epoch on, unless it is known.

        Raises:
            UnlearningError: the model's outputs are not numbers any more.
        """
        if number in self._known:
            return
        self.look(number, model)
        with timed(self._spent, "log"):
            found = self._live.grade(model)
        self._glance_at = time.monotonic() + GLANCE_SECONDS
        self.rows[number] = found
        figures |= {name: value for name, value in found.items() if value is not None} | self._live.in_part
        if number > 0:  # the original is graded anew in every attempt
            self._epochs[number] = (total, figures)
            self._cache.keep(PART, (self._epochs, {k: frame for k, frame in self.frames.items() if k > 0}))
        self.inner.epoch(number, total, model, **figures)

    def partway(self, epoch: float, model: Classifier, **figures: float) -> None:
        """Glance at the model if that is due, and pass on what is seen; nothing of it is kept.

        A model that is in training mode is left alone: a look would change what its layers remember.
        """
        began = time.monotonic()
        if began < self._glance_at or model.training or not self._live.glance_images:
            return
        with timed(self._spent, "log"):
            found = self._live.glance(model)
        took = time.monotonic() - began
        self._glance_at = began + max(GLANCE_SECONDS, took / GLANCE_SHARE)
        self.inner.partway(epoch, model, **figures, **{name: x for name, x in found.items() if x is not None})

    def look(self, number: int, model: Classifier) -> None:
        """Send the frame of an epoch, unless the model has no layer to draw."""
        with timed(self._spent, "log"):
            frame = self._watch.look(number, model)
        if frame is not None:
            self.frames[number] = frame
            self.inner.watch(frame)

    def merge(self, history: list[dict[str, float]]) -> list[dict[str, Any]]:
        """Return the method's own rows with the grades of the same epochs."""
        empty = {"acc_rt": None, "acc_ut": None, "mia": None}
        return [empty | row | self._row(row["epoch"]) for row in history]

    def arrays(self) -> dict[str, Tensor]:
        """Return the frames as arrays, see :meth:`Watch.arrays`."""
        return self._watch.arrays(self.frames)

    def _row(self, number: float) -> dict[str, Any]:
        """Return the grades of an epoch under its number, nothing for one that was not graded."""
        return {"epoch": int(number), **self.rows[int(number)]} if number in self.rows else {}
