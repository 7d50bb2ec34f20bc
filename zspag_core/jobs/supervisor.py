"""Keeps workers alive for a dashboard: starts one where none is, and again when it dies."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zspag_core import files
from zspag_core.jobs.heartbeats import BEAT_SECONDS, DASHBOARD, STALE_SECONDS, WORKER
from zspag_core.jobs.records import Lane, starts_on_demand
from zspag_core.shipped import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zspag_core.jobs.store import JobStore

IDLE_SECONDS = 60
ON_DEMAND_IDLE_SECONDS = 600
START_SECONDS = 60.0
SOON_SECONDS = 20.0
SLEPT_SECONDS = STALE_SECONDS / 2  # by the clock, for a rest of two seconds: longer, and the machine slept
PURGE_SECONDS, CHORE_SECONDS = 3600.0, 60.0
PATIENCE = 3


@dataclass
class _WorkerProcess:
    """A worker that this supervisor started, for a lane and a device, and whether it ever said that it lives."""

    key: tuple[str, str]
    process: subprocess.Popen[bytes]
    started: float
    heard: bool = False

    @property
    def mark(self) -> str:
        """Return how the names of its heartbeats begin."""
        return f"{socket.gethostname()}-{self.process.pid}-"


class Supervisor:
    """Looks every two seconds, in a thread of its own, whether each lane has a living worker.

    A lane has a process of its own, so that a crash of a short task cannot end an hour's run.
    """

    def __init__(
        self, store: JobStore, lanes: tuple[str, ...] = tuple(Lane), chore: Callable[[], None] | None = None
    ) -> None:
        """Keep workers for these lanes; those on demand get one when a job waits.

        Args:
            store: the database.
            lanes: the queues.
            chore: what else is to be done every minute.
        """
        self.name = f"dashboard-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._store, self._lanes = store, lanes
        self._children: list[_WorkerProcess] = []
        self._deaths: dict[tuple[str, str], int] = {}
        self._purged, self._chored, self._chore = -PURGE_SECONDS, -CHORE_SECONDS, chore
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="worker-supervisor", daemon=True)

    @property
    def trouble(self) -> str:
        """Return a sentence if workers end as soon as they start, else nothing."""
        if any(count >= PATIENCE for count in self._deaths.values()):
            return f"The worker process ends right after its start. Its last words are in {log_file()}."
        return ""

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; the workers end by themselves."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._store.heartbeats.forget(self.name)

    def look(self) -> None:
        """Do one round: beat, bury, start what is missing."""
        self._store.heartbeats.beat(self.name, DASHBOARD)
        self._listen()
        self._bury()
        for lane in self._lanes:
            always = set() if starts_on_demand(lane) else {"auto"}
            for device in sorted(always | self._store.waiting_devices(lane)):
                self._provide(lane, device)
        self._store.reap()
        if time.monotonic() - self._purged > PURGE_SECONDS:
            self._purged = time.monotonic()
            self._store.purge()
        if self._chore is not None and time.monotonic() - self._chored > CHORE_SECONDS:
            self._chored = time.monotonic()
            self._chore()

    def _watch(self) -> None:
        from sqlalchemy.exc import OperationalError

        while not self._stopping.is_set():
            with contextlib.suppress(OperationalError):  # busy or away for a moment: look again at the next round
                self.look()
            self._rest()

    def _rest(self) -> None:
        """Wait for the next round; once more where the machine slept: its workers, too, need a moment to beat."""
        began = time.time()
        self._stopping.wait(BEAT_SECONDS)
        if time.time() - began > SLEPT_SECONDS:
            self._stopping.wait(BEAT_SECONDS)

    def _provide(self, lane: str, device: str) -> None:
        """Start a worker unless one serves the lane and the device, or someone is about to start one."""
        if any(worker.serves(lane, device) for worker in self._store.heartbeats.alive(WORKER)):
            return
        key = (lane, device)
        if self._deaths.get(key, 0) < PATIENCE and self._store.heartbeats.reserve(_place(key), START_SECONDS):
            self._end_silent(key)
            self._children.append(_WorkerProcess(key, start_worker(lane, device), time.monotonic()))

    def _listen(self) -> None:
        """Note which children say that they live."""
        names = [worker.name for worker in self._store.heartbeats.alive(WORKER)]
        for child in self._children:
            child.heard = child.heard or any(name.startswith(child.mark) for name in names)

    def _end_silent(self, key: tuple[str, str]) -> None:
        """End a child that fell silent before another takes its place; one that still starts may be slow."""
        for child in [child for child in self._children if child.key == key and child.heard]:
            child.process.kill()
            child.process.wait()
            self._children.remove(child)

    def _bury(self) -> None:
        """Clear up after children that have ended, so that others learn of it at once."""
        for child in [child for child in self._children if child.process.poll() is not None]:
            self._children.remove(child)
            soon = time.monotonic() - child.started < SOON_SECONDS
            self._deaths[child.key] = self._deaths.get(child.key, 0) + 1 if soon else 0
            for worker in self._store.heartbeats.alive(WORKER):
                if worker.name.startswith(child.mark):
                    self._store.heartbeats.forget(worker.name)
            self._store.heartbeats.forget(_place(child.key))
            self._store.interrupt_orphans()


def start_worker(lane: str, device: str) -> subprocess.Popen[bytes]:
    """Start a worker process that outlives this one; what it prints goes to the log file."""
    command = [sys.executable, "-m", "zspag_core", "worker", "--lane", lane, "--device", device]
    command += ["--until-idle", str(ON_DEMAND_IDLE_SECONDS if starts_on_demand(lane) else IDLE_SECONDS)]
    path = log_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own command
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=sys.platform != "win32",
            creationflags=_apart(),
        )


def _apart() -> int:
    """Return the flags that part a child from our console; other systems than Windows have a session for that."""
    if sys.platform == "win32":
        return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return 0


def log_file() -> Path:
    """Return the file that holds what workers print."""
    return files.home() / "worker.log"


def _place(key: tuple[str, str]) -> str:
    """Return the name under which the start of a worker is reserved on this machine."""
    return f"start-{socket.gethostname()}-{key[0]}-{key[1]}"
