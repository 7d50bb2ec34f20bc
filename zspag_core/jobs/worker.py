"""The process that computes: claims jobs, carries them out, says that it is alive."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from zspag_core.errors import Cancelled, ZspagError
from zspag_core.jobs.heartbeats import BEAT_SECONDS, DASHBOARD, WORKER
from zspag_core.jobs.patience import patient
from zspag_core.jobs.performance import Performance
from zspag_core.jobs.records import Lane, State, starts_on_demand
from zspag_core.jobs.spare import SpareTime
from zspag_core.tasks.table import find_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zspag_core.jobs.records import Job
    from zspag_core.jobs.spare import Make
    from zspag_core.jobs.store import JobStore
    from zspag_core.tasks.table import Task

POLL_SECONDS = 0.05  # a look costs 0.2 ms; a person who moves a knob waits for it
GRACE_SECONDS = 5.0
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
        first: Mapping[str, Any] | None = None,
        make_ahead: Make | None = None,
    ) -> None:
        """Prepare to serve.

        Args:
            store: the database.
            lanes: the queues to serve.
            device: the device to compute on; jobs that ask for "auto" get this one.
            until_idle: end after so many seconds without work and without a dashboard, which may bring some at any
                time except to lanes on demand; None means never.
            find: turns the name of a task into the task.
            first: config of a run that is made ahead before any job comes, as if somebody wished for it.
            make_ahead: see :class:`zspag_core.jobs.spare.SpareTime`.
        """
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.stopping = threading.Event()
        self._store, self._lanes, self._device, self._until_idle = store, tuple(lanes), device, until_idle
        self._find, self._first = find, first
        self._lasting = patient(store, self.stopping)
        self._busy: dict[str, Job] = {}
        self._spare = SpareTime(self._lasting, self.name, device, self.stopping, self._begin, make_ahead)

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
                self._carry_out(self._begin(job))
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
            if self._first is not None and lane == Lane.RUNS:
                self._get_ready(self._first)
            while not self.stopping.is_set():
                self._serve_one(lane)
        finally:
            self.stopping.set()

    def _get_ready(self, config: Mapping[str, Any]) -> None:
        """Make a run ahead that nobody wishes for yet."""
        if (run := self._ahead(partial(self._spare.make, config))) is not None:
            self._carry_out(run)

    def _serve_one(self, lane: str) -> None:
        """Carry out the next job of a lane; where none waits, use the time otherwise, or wait a little."""
        job = self._lasting.claim(lane, self.name, self._device)
        if job is not None:
            self._carry_out(self._begin(job))
        elif (run := self._ahead(self._spare.use) if lane == Lane.RUNS else None) is not None:
            self._carry_out(run)
        else:
            self.stopping.wait(POLL_SECONDS)

    def _ahead(self, make: Callable[[], Performance | None]) -> Performance | None:
        """Make something ahead; whatever goes wrong, nobody has asked for it, and a run will say the same."""
        try:
            return make()
        except (Cancelled, ZspagError):
            return None
        except Exception:
            traceback.print_exc()  # into worker.log
            return None

    def _begin(self, job: Job) -> Performance:
        """Note that a job of this worker's is under way."""
        self._busy[job.lane] = job
        return Performance(self._store, job, self.stopping)

    def _carry_out(self, run: Performance) -> None:
        """Carry out a job that is under way to its end."""
        run.carry_out(self._find)
        del self._busy[run.job.lane]

    def _beat(self) -> None:
        """Say that this worker is alive."""
        self._store.heartbeats.beat(self.name, WORKER, self._lanes, self._device)

    def _is_needed(self) -> bool:
        """Tell whether there is work or a dashboard that may bring some."""
        if self._busy or self._store.active(*self._lanes):
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
