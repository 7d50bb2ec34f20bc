"""A class at its pages for half an hour, without browsers: how soon they answer, and what the server's memory does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.campaign.pupil import Pupil, Seen, join, walk
from tests.e2e.serving import ROOT, end_workers, free_port, wait_until_healthy, worker_pids

if TYPE_CHECKING:
    from collections.abc import Iterator

THINK = (10.0, 20.0)
ARRIVE = 30.0  # seconds within which a class opens the dashboard
EVERY = 30.0  # seconds between two looks at the memory
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True)
class Look:
    """The server at a moment: minutes since the start, memory it holds (MB), processor seconds so far, the load."""

    minute: float
    server_mb: float
    server_cpu: float
    workers_mb: float
    load: float


@dataclass
class Told:
    """What came of it: what visitors saw, what was measured, and how the server ended."""

    seen: Seen = field(default_factory=Seen)
    looks: list[Look] = field(default_factory=list)
    client_cpu: float = 0.0
    faults: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return what to print."""
        seconds = sorted(answer.seconds for answer in self.seen.answers)
        pages = sorted({answer.page for answer in self.seen.answers})
        if not seconds:
            return ["nobody saw a page"]
        lines = [f"{len(seconds)} pages: {_shares(seconds)}; {self.seen.redrawn} parts redrawn"]
        lines += [f"  {page:<20}{_shares(sorted(self._of(page)))}" for page in pages]
        lines += [
            f"minute {look.minute:5.1f}  server {look.server_mb:6.0f} MB {look.server_cpu:6.0f} processor s  "
            f"workers {look.workers_mb:6.0f} MB  load {look.load:.1f}"
            for look in self.looks
        ]
        lines += [f"client {self.client_cpu:.0f} processor s, {self.seen.megabytes:.0f} MB came"]
        return lines + [f"in red: {words}" for words in sorted(self.seen.alerts)]

    def _of(self, page: str) -> list[float]:
        return [answer.seconds for answer in self.seen.answers if answer.page == page]


def _shares(seconds: list[float]) -> str:
    """Return median, 95th percentile and longest of sorted times."""
    at = seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]
    return (
        f"n {len(seconds):5d}  median {statistics.median(seconds):.2f} s  p95 {at:.2f} s  longest {seconds[-1]:.2f} s"
    )


@dataclass(frozen=True)
class Plan:
    """What visitors do.

    Attributes:
        count: visitors, each with a cookie and a session of their own.
        minutes: how long.
        seed: of what they do.
        runs: every how manieth queues a run; 0 for none, and then no worker is started.
        think: shortest and longest time on a page, seconds.
    """

    count: int
    minutes: float
    seed: int
    runs: int
    think: tuple[float, float]


def campaign(count: int, minutes: float, seed: int, *, runs: int = 3, think: tuple[float, float] = THINK) -> Told:
    """Let visitors walk over the pages of a shared dashboard; arguments as in :class:`Plan`."""
    told, plan = Told(), Plan(count, minutes, seed, runs, think)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, (Path(home) / "log").open("w+b") as log:
        with _serving(Path(home), log, workers=bool(runs)) as (server, port):
            asyncio.run(_lesson(told, Path(home), f"http://localhost:{port}", server.pid, plan))
        log.seek(0)
        said = log.read().decode(errors="replace").splitlines()
    told.faults += [f"the server's log: {line}" for line in said if "Traceback" in line]
    told.faults += told.seen.faults
    told.client_cpu = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    return told


@contextlib.contextmanager
def _serving(home: Path, log: IO[bytes], *, workers: bool) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Share a dashboard on a port of this machine; end it and its workers afterwards."""
    port = free_port()
    environment = os.environ | {"ZSPAG_HOME": str(home), "OMP_NUM_THREADS": "1"}
    environment |= {} if workers else {"ZSPAG_START_WORKER": "0"}
    environment.pop("ZSPAG_DATABASE_URL", None)
    command = [sys.executable, "-m", "zspag_core", "app", "--share", "--port", str(port)]
    command += ["--behind", "https://localhost"]  # so that it answers this machine only
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as server:
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}", server)
            yield server, port
        finally:
            server.terminate()
            server.wait(timeout=60)
            if workers:
                end_workers(home)


async def _lesson(told: Told, home: Path, url: str, pid: int, plan: Plan) -> None:
    """Let everybody come within half a minute, and walk until the time is over."""
    code = json.loads((home / "class.json").read_text())["join"]
    began = time.monotonic()
    until = began + 60 * plan.minutes
    looking = asyncio.create_task(_look(told, home, pid, (began, until), workers=bool(plan.runs)))

    async def one(number: int) -> None:
        rng = random.Random(f"{plan.seed}-{number}")
        await asyncio.sleep(rng.uniform(0, min(ARRIVE, 12 * plan.minutes)))
        cookie = await asyncio.to_thread(join, url, f"Pupil {number}", code)
        queues = bool(plan.runs) and number % plan.runs == 0
        await walk(Pupil(url, cookie, told.seen), rng, until, plan.think, runs=queues)

    for failed in await asyncio.gather(*map(one, range(plan.count)), return_exceptions=True):
        if isinstance(failed, BaseException):
            told.seen.faults.append(f"a visitor ended: {type(failed).__name__}: {failed}")
    await looking


async def _look(told: Told, home: Path, pid: int, span: tuple[float, float], *, workers: bool) -> None:
    """Look at the server's memory and time again and again."""
    while True:
        now = time.monotonic()
        held = sum(map(_memory, worker_pids(home).values())) if workers else 0.0
        told.looks.append(Look((now - span[0]) / 60, _memory(pid), _processor(pid), held, os.getloadavg()[0]))
        if now >= span[1]:
            return
        await asyncio.sleep(min(EVERY, span[1] - now))


def _memory(pid: int) -> float:
    """Return what a process holds in memory, MB (Linux); 0 where it has ended."""
    try:
        told = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in told.splitlines() if line.startswith("VmRSS")), 0.0)


def _processor(pid: int) -> float:
    """Return the processor seconds that a process has taken (Linux)."""
    told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / TICKS
