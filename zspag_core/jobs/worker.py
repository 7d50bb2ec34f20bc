"""The process that computes: claims jobs, carries them out, says that it is alive."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
import traceback
from typing import TYPE_CHECKING

import sqlalchemy.orm  # noqa: F401 - for Optuna; imported while other threads ask the database, it breaks their requests
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from zspag_core.errors import Cancelled, ZspagError
from zspag_core.faults import fault_words
from zspag_core.jobs.heartbeats import BEAT_SECONDS, DASHBOARD, WORKER
from zspag_core.jobs.patience import patient
from zspag_core.jobs.records import UNEXPECTED, Command, State, starts_on_demand
from zspag_core.jobs.reporter import JobReporter
from zspag_core.progress import Reporter
from zspag_core.tasks.table import find_task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zspag_core.jobs.records import Job
    from zspag_core.jobs.store import JobStore
    from zspag_core.tasks.table import Task

POLL_SECONDS = 0.05  # a look costs 0.2 ms; a person who moves a knob waits for it
GRACE_SECONDS = 5.0
CANCEL_SECONDS, CANCEL_LOOKS = 0.4, 2
NOT_TAKEN = 3
"""Exit code of a process for one job that somebody else has taken, or cancelled."""


class Worker:
    """Serves some lanes on one device, one thread a lane, until it is told to stop."""

    def __init__(
        self,
        store: JobStore,
        lanes: Sequence[str],
        device: str = "auto",
        *,
        until_idle: float | None = None,
        find: Callable[[str], Task] = find_task,
        warm_up: Callable[[str, Reporter], None] | None = None,
    ) -> None:
        """Prepare to serve.

        Args:
            store: the database.
            lanes: the queues to serve.
            device: the device to compute on; jobs that ask for "auto" get this one.
            until_idle: end after so many seconds without work and without a dashboard, which may bring some at any
                time except to lanes on demand; None means never.
            find: turns the name of a task into the task.
            warm_up: what each lane's thread does before its first job, given the device and whom to tell; it ends when
                a job comes.
        """
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.stopping = threading.Event()
        self._store, self._lanes, self._device, self._until_idle = store, tuple(lanes), device, until_idle
        self._find, self._warm_up = find, warm_up
        self._lasting = patient(store, self.stopping)
        self._busy: dict[str, Job] = {}

    def serve(self) -> bool:
        """Serve until `stopping` is set or nobody needs this worker any more; tell whether all its work has ended."""
        self._beat()
        threads = [threading.Thread(target=self._serve_lane, args=(lane,), daemon=True) for lane in self._lanes]
        for thread in threads:
            thread.start()
        needed = time.monotonic()
        while not self.stopping.wait(BEAT_SECONDS):
            with contextlib.suppress(OperationalError):  # the database is locked, full or away for a moment
                self._beat()
                self._store.reap()
                needed = time.monotonic() if self._is_needed() else needed
            if self._until_idle is not None and time.monotonic() - needed > self._until_idle:
                self.stopping.set()
        return self._leave(threads)

    def serve_once(self, job_id: str) -> bool:
        """Carry out one job and no other; tell whether it was still there to be taken.

        Raises:
            UsageError: there is no such job.
        """
        lane = self._store.require(job_id).lane
        self._beat()
        threading.Thread(target=self._go_on_beating, name="heartbeat", daemon=True).start()
        try:
            job = self._store.claim(lane, self.name, self._device, only=job_id)
            if job is not None:
                perform(self._store, job, self.stopping, self._find)
        finally:
            self.stopping.set()
            self._store.heartbeats.forget(self.name)
        return job is not None

    def _go_on_beating(self) -> None:
        """Say again and again that this worker is alive, until it is to end."""
        while not self.stopping.wait(BEAT_SECONDS):
            with contextlib.suppress(SQLAlchemyError):  # the database is away for a moment
                self._beat()

    def _serve_lane(self, lane: str) -> None:
        """Carry out the jobs of one lane, one after the other; if that breaks, the whole worker ends."""
        try:
            self._get_ready(lane)
            while not self.stopping.is_set():
                self._serve_one(lane)
        finally:
            self.stopping.set()

    def _get_ready(self, lane: str) -> None:
        """Warm a lane up; whatever goes wrong, nobody has asked for it, and the first job will say the same."""
        try:
            if self._warm_up is not None:
                self._warm_up(self._device, _Unasked(self._lasting, lane, self.stopping))
        except Exception:
            traceback.print_exc()  # into worker.log

    def _serve_one(self, lane: str) -> None:
        """Carry out the next job of a lane, or wait a little."""
        job = self._lasting.claim(lane, self.name, self._device)
        if job is None:
            self.stopping.wait(POLL_SECONDS)
            return
        self._busy[lane] = job
        perform(self._store, job, self.stopping, self._find)
        del self._busy[lane]

    def _beat(self) -> None:
        """Say that this worker is alive."""
        self._store.heartbeats.beat(self.name, WORKER, self._lanes, self._device)

    def _is_needed(self) -> bool:
        """Tell whether there is work or a dashboard that may bring some."""
        if self._busy or any(map(self._store.active, self._lanes)):
            return True
        return not all(map(starts_on_demand, self._lanes)) and bool(self._store.heartbeats.alive(DASHBOARD))

    def _leave(self, threads: Sequence[threading.Thread]) -> bool:
        """Give the running jobs a moment to end, mark those that do not as interrupted, and say good-bye."""
        deadline = time.monotonic() + GRACE_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for job in list(self._busy.values()):
            self._store.finish(job, State.INTERRUPTED, error="The worker was stopped during this run.")
        self._store.heartbeats.forget(self.name)
        return not any(thread.is_alive() for thread in threads)


class _Unasked(Reporter):
    """Lets work go on that nobody has asked for until a job comes or the worker is to end."""

    def __init__(self, store: JobStore, lane: str, stopping: threading.Event) -> None:
        self._store, self._lane, self._stopping = store, lane, stopping
        self._looked = time.monotonic()

    def progress(self, stage: str, done: int, total: int, **figures: float) -> None:
        """Raise Cancelled once there is something better to do."""
        if self._stopping.is_set():
            raise Cancelled("the worker is to end")
        if time.monotonic() - self._looked > POLL_SECONDS:
            self._looked = time.monotonic()
            if self._store.waiting(self._lane):
                raise Cancelled("a job waits")


def perform(store: JobStore, job: Job, stopping: threading.Event, find: Callable[[str], Task] = find_task) -> None:
    """Carry out one job; however it ends, the database says so, as soon as it can be written."""
    lasting = patient(store, stopping)
    report = JobReporter(lasting, job, stopping)
    ended = threading.Event()
    threading.Thread(target=_cancel_promptly, args=(store, job, ended), daemon=True).start()
    try:
        answer = find(job.kind)(job, report)
        if report.stopped:
            raise Cancelled("The task returned what it had.")
        lasting.finish(job, State.DONE, answer=answer)
    except Cancelled:
        _end_early(lasting, job)
    except ZspagError as error:
        lasting.finish(job, State.FAILED, error=str(error), details=traceback.format_exc())
    except Exception as error:
        unexpected = f"{UNEXPECTED}{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
        sentence = fault_words(error) or unexpected
        lasting.finish(job, State.FAILED, error=sentence, details=traceback.format_exc())
    finally:
        ended.set()


def _cancel_promptly(store: JobStore, job: Job, ended: threading.Event) -> None:
    """Say that a job is cancelled soon after a person asked for it, also while its work is deep in one long step.

    The work itself ends at its next report; until then the lane is taken, but nothing that it says is written down.
    """
    asked = 0
    with contextlib.suppress(SQLAlchemyError):  # the database is away for a moment: the next report will do
        while asked < CANCEL_LOOKS and not ended.wait(CANCEL_SECONDS / CANCEL_LOOKS):
            now = store.get(job.id)
            if now is None or now.state != State.RUNNING or now.worker != job.worker:
                return
            asked = asked + 1 if now.command == Command.CANCEL else 0
        if not ended.is_set():
            store.finish(job, State.CANCELLED)


def _end_early(store: JobStore, job: Job) -> None:
    """Say whether a person cancelled the job or its worker was stopped."""
    now = store.get(job.id)
    if now is not None and now.command == Command.CANCEL:
        store.finish(job, State.CANCELLED)
    else:
        store.finish(job, State.INTERRUPTED, error="The worker was stopped during this run.")
