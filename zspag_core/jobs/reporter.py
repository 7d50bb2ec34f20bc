"""How a job's work speaks to the database, and hears from it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from zspag_core.errors import Cancelled
from zspag_core.jobs.records import Command
from zspag_core.progress import Reporter, leave_out

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from zspag_core.jobs.records import Job
    from zspag_core.jobs.store import JobStore
    from zspag_core.models import Classifier
    from zspag_core.progress import Frame

WRITE_SECONDS = 0.25


class JobReporter(Reporter):
    """Writes progress into the database at most four times a second; raises Cancelled once the work must end.

    Attributes:
        stopped: whether Cancelled was raised; a task may catch it and still return what it has.
    """

    def __init__(self, store: JobStore, job: Job, stopping: threading.Event) -> None:
        """Report for one job; `stopping` is set when the whole worker must end."""
        self._store = store
        self._job = job
        self._stopping = stopping
        self._stage, self._working, self._first = "", False, 0
        self._last, self._written, self._waited = time.time(), 0.0, 0.0
        self._seconds: dict[str, float] = {}
        self._state: dict[str, Any] = {}
        self.stopped = False

    def progress(self, stage: str, done: int, total: int, **figures: float) -> None:
        """Write how far the stage is.

        The grading that comes before the method's own stages is called "before"; relearning is a part of the grading,
        unless it is all that the job does.
        """
        stage = "evaluate" if stage == "relearning" and self._job.kind != "relearning" else stage
        now = time.time()
        self._working = self._working or stage not in {"load", "evaluate"}
        stage = "before" if stage == "evaluate" and not self._working else stage
        spent_on = self._stage or stage  # the time since the last report belongs to the stage that was under way
        self._seconds[spent_on] = self._seconds.get(spent_on, 0.0) + now - self._last
        self._last = now
        if stage != self._stage:
            self._enter(stage)
            self._first = done
        self._state = {"stage": stage, "done": done, "first": self._first, "total": total}
        self._state |= {"figures": figures, "seconds": self._seconds, "waited": self._waited}
        if now - self._written >= WRITE_SECONDS or self._stopping.is_set():
            self._written = now
            self._obey()

    def epoch(self, number: int, total: int, model: Classifier, **figures: float) -> None:
        """Write the figures of an epoch; a run that was to make one more epoch waits here."""
        self._store.record(self._job, "epoch", {"epoch": number, "total": total, **figures})
        if number > 0 and self._store.step_ends(self._job):  # epoch 0 is the model before anything was done
            self._obey()

    def partway(self, epoch: float, model: Classifier, **figures: float) -> None:
        """Write what was seen within an epoch; nobody watches a trial."""
        if "trial" not in self._job.config:
            self._store.record(self._job, "partway", {"epoch": round(epoch, 2), **figures})

    def watch(self, frame: Frame) -> None:
        """Write a frame of the watched images; the first one comes with the images themselves."""
        from zspag_core.tasks.pictures import rounded, to_data_url

        body = {"epoch": frame.epoch, "layer": frame.layer, "maps": rounded(frame.maps)}
        body |= {"probability": rounded(frame.probability), "predicted": frame.predicted.tolist()}
        if frame.epoch == 0:
            body |= {"pictures": list(map(to_data_url, frame.images)), "labels": frame.labels.tolist()}
        self._store.record(self._job, "watch", body)

    def graded(self, result: Mapping[str, Any]) -> None:
        """Write what the run has come to, so that pages show it while the rest is computed; nobody watches a trial."""
        if "trial" not in self._job.config:
            self._store.record(self._job, "graded", result)

    def note(self, sentence: str) -> None:
        """Write what a person should know of model, data or run; of a sweep's trials they all say the same."""
        if "trial" not in self._job.config:
            self._store.record(self._job, "note", {"sentence": sentence})

    def _enter(self, stage: str) -> None:
        """Note that a stage begins."""
        self._stage, self._written = stage, 0.0
        self._seconds.setdefault(stage, 0.0)
        self._store.record(self._job, "stage", {"stage": stage})

    def _obey(self) -> None:
        """Write down progress and do what a person wants; a paused job waits here."""
        while True:
            command = self._store.advance(self._job, self._state)
            if self._stopping.is_set() or command is None or command == Command.CANCEL:
                self.stopped = True
                raise Cancelled("The job was asked to stop.")
            if command in {Command.NONE, Command.STEP}:
                return
            paused = time.time()
            self._stopping.wait(WRITE_SECONDS)
            self._last = time.time()
            leave_out(self._last - paused)
            self._waited += self._last - paused
            self._state["waited"] = self._waited
