"""Jobs of some lanes on a Dask cluster: one task there is one child process, which carries out one job and ends.

So a job can be killed without its Dask worker, and a crash spares it. That a job is cancelled, resumed, or done only
once is the queue's business (:mod:`zspag_core.jobs.store`), not Dask's.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy.exc import OperationalError

from zspag_core.errors import UsageError
from zspag_core.files import home
from zspag_core.jobs.heartbeats import BEAT_SECONDS, WORKER, served_devices
from zspag_core.jobs.patience import patient
from zspag_core.jobs.records import Lane, State
from zspag_core.jobs.schema import database_url
from zspag_core.jobs.worker import NOT_TAKEN
from zspag_core.shipped import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from distributed import Client, Future

    from zspag_core.jobs.store import JobStore

LOCAL = "local"
PROGRAM = ("-m", "zspag_core")
LOOK_SECONDS, LEAVE_SECONDS, ANSWER_SECONDS = 0.2, 15.0, 10
SILENT_SECONDS = 60.0
"""How long a scheduler may be away before the cluster is given up."""
ON_THE_WAY = 2
"""Jobs that are sent for each that can be under way: who is served in turn need not wait behind what was sent, and a
cluster that grows with what waits sees something wait."""
PATIENCE = 3
"""How many processes in a row may end without having taken their job; then the cluster is given up."""


class Cluster:
    """Hands the waiting jobs of some lanes to a Dask cluster, in a thread of its own, while a `with` block lasts.

    Attributes:
        trouble: why the cluster was given up; empty while it works.
    """

    def __init__(
        self,
        store: JobStore,
        client: Client,
        *,
        lanes: Sequence[str] = (Lane.TRIALS,),
        device: str = "auto",
        gpu: float = 0.0,
        environment: Mapping[str, str] | None = None,
        complain: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare.

        Args:
            store: the queue.
            client: of the cluster.
            lanes: whose jobs.
            device: as :func:`zspag_core.devices.resolve_device` takes it, on the machine that computes.
            gpu: how much of the resource GPU, which Dask workers declare, a job takes; 0 asks for none.
            environment: what else the processes of jobs find in theirs.
            complain: told in one sentence why the cluster is given up; what waits goes on waiting.
        """
        self.trouble = ""
        self._stopping = threading.Event()
        self._store, self._client = patient(store, self._stopping), client
        self._lanes, self._device = tuple(lanes), device
        self._resources = {"GPU": gpu} if gpu else None
        self._environment, self._complain = environment or {}, complain
        self._name = f"cluster-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._sent: dict[str, Future[Any]] = {}
        self._failures, self._beaten = 0, 0
        self._thread = threading.Thread(target=self._hand_over, name="cluster", daemon=True)

    def __enter__(self) -> Cluster:
        """Begin."""
        self._beat()
        self._thread.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        """Hand over nothing more; what does not end soon goes on where it is."""
        self._stopping.set()
        self._thread.join()
        deadline = time.monotonic() + LEAVE_SECONDS
        while time.monotonic() < deadline and not all(sent.done() for sent in self._sent.values()):
            time.sleep(LOOK_SECONDS)
        for place in range(self._beaten):
            self._store.heartbeats.forget(f"{self._name}-{place}")

    def _hand_over(self) -> None:
        heard = beaten = time.monotonic()
        while not self._stopping.wait(LOOK_SECONDS) and not self.trouble:
            try:
                self.look()
                if time.monotonic() - beaten >= BEAT_SECONDS:
                    beaten = time.monotonic()
                    with suppress(OperationalError):  # the database is locked, full or away for a moment
                        self._beat()
                heard = time.monotonic()
            except OSError as error:  # the scheduler is away; Dask's client goes on trying
                if time.monotonic() - heard > SILENT_SECONDS:
                    self._give_up(f"the cluster's scheduler does not answer any more: {' '.join(str(error).split())}")

    def look(self) -> None:
        """Send the jobs that wait and are not on their way, as far as there is room."""
        for job in [job for job, sent in self._sent.items() if sent.done()]:
            self._judge(job, self._sent.pop(job))
        waiting = [] if self.trouble else self._unsent()
        room = ON_THE_WAY * max(1, self._slots()) - len(self._sent) if waiting else 0
        for job in waiting[: max(0, room)]:
            self._send(job)

    def _unsent(self) -> list[str]:
        """Return the names of the jobs that wait and are not on their way, in turn."""
        line = [job for lane in self._lanes for job in self._store.line(lane)]
        waiting = [job for job in line if job.state == State.QUEUED and job.device in served_devices(self._device)]
        return [job.id for job in waiting if job.id not in self._sent]

    def _send(self, job: str) -> None:
        places = {"ZSPAG_DATABASE_URL": database_url(), "ZSPAG_HOME": str(home().resolve())}
        key = f"zspag-{job}-{secrets.token_hex(4)}"  # another one each time: Dask answers the same key from memory
        self._sent[job] = self._client.submit(
            carry_out, job, self._device, places | dict(self._environment), key=key, resources=self._resources
        )

    def _judge(self, job: str, sent: Future[Any]) -> None:
        """Give up where tasks end, one after the other, without even taking their job."""
        untouched = sent.status == "error" and self._store.require(job).state == State.QUEUED
        self._failures = self._failures + 1 if untouched else 0
        if self._failures == PATIENCE:
            self._give_up(f"the cluster's workers cannot carry out jobs: {sent.exception()}")

    def _give_up(self, why: str) -> None:
        """Send nothing more, and say why."""
        self.trouble = why
        self._complain(why)

    def _beat(self) -> None:
        """Count as so many workers as jobs can be under way at once."""
        slots = self._slots()
        for place in range(max(slots, self._beaten)):
            if place < slots:
                self._store.heartbeats.beat(f"{self._name}-{place}", WORKER, self._lanes, self._device)
            else:
                self._store.heartbeats.forget(f"{self._name}-{place}")
        self._beaten = slots

    def _slots(self) -> int:
        """Return how many jobs can be under way at once."""
        return sum(self._client.nthreads().values())


@contextmanager
def open_client(address: str, workers: int) -> Iterator[Client]:
    """Connect to a cluster, or make one of this machine's processes, while the block lasts.

    Args:
        address: of the scheduler, or "local".
        workers: processes of a local one.

    Raises:
        UsageError: Dask is not installed, nobody answers, or the address is not one to be trusted.
    """
    try:
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        raise UsageError('--cluster: needs Dask: pip install ".[cluster]", or pip install distributed') from error
    if address == LOCAL:
        with (
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",  # any free port: two sweeps may run beside each other
                host="127.0.0.1",
                silence_logs=logging.ERROR,
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    check_address(address)
    try:
        client = Client(address, timeout=ANSWER_SECONDS)
    except (OSError, TimeoutError, ValueError) as error:
        raise UsageError(f"--cluster: no scheduler answers at {address}: {' '.join(str(error).split())}") from error
    with client:
        yield client


def check_address(address: str) -> None:
    """Refuse a scheduler that would be spoken to in the clear over a network, or one that cannot share the queue.

    Raises:
        UsageError: it is one of these.
    """
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    if not parts.hostname:
        raise UsageError(
            f"--cluster: expected local, or the address of a scheduler such as tls://host:8786, got {address!r}"
        )
    if _is_loopback(parts.hostname):
        return
    if parts.scheme != "tls":
        raise UsageError(
            f"--cluster: expected tls://{parts.hostname}:PORT beyond this machine, got {address!r}: whoever speaks to "
            "a Dask cluster can run code there; docs/tuning.md says how"
        )
    if database_url().startswith("sqlite"):
        raise UsageError(
            "--cluster: other machines cannot reach this machine's queue: set ZSPAG_DATABASE_URL to a Postgres and "
            "ZSPAG_HOME to a folder that all of them share"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def carry_out(job: str, device: str, environment: dict[str, str]) -> int:
    """Carry out one job in a process of its own; called on a Dask worker, whose CUDA_VISIBLE_DEVICES it keeps.

    Raises:
        RuntimeError: the process did not carry it out.
    """
    command = [sys.executable, *PROGRAM, "worker", "--once", job, "--device", device]
    done = subprocess.run(  # noqa: S603 - our own command
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    if done.returncode not in {0, NOT_TAKEN}:
        said = done.stderr.strip().splitlines()
        raise RuntimeError(said[-1] if said else f"the process ended with exit code {done.returncode}")
    return done.returncode
