"""Worker, server and dispatcher killed with -9 at random moments of real runs and sweeps.

Nothing is lost or half-written: every run ends in the bytes in which it ends undisturbed, every trial is told once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.campaign.pupil import Pupil, Seen
from tests.e2e.serving import end_workers, open_store, start_server
from zspag_core.jobs import JobStore, Lane, State
from zspag_core.jobs.folders import run_folder
from zspag_core.jobs.supervisor import PATIENCE, SOON_SECONDS
from zspag_core.tuning import queue
from zspag_core.tuning.space import Axis
from zspag_core.tuning.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.serving import Server
    from zspag_core.jobs import Job

SEEDS, TRIALS = 3, 8
STUCK_SECONDS = 600.0  # without any change; how long all of it takes is the machine's business
MOST_OF_ONE = 2  # kills of one trial: the dispatcher gives a trial up that loses its worker four times
WHOLE = {"config.json", "result.json", "model.safetensors"}
SETTINGS = {"epochs": 4, "stop_rule": False}
SERVER = "server"
VICTIMS = (Lane.RUNS, Lane.RUNS, Lane.RUNS, Lane.TRIALS, Lane.SWEEPS, SERVER)
"""Who is killed, as often as they stand here: the server, or what serves a lane; sweeps are the dispatcher's."""


@dataclass
class Told:
    """What a campaign of kills came to.

    Attributes:
        kills: how many there were, by victim.
        interrupted: runs and sweeps that one of them met; each was gone on with.
        runs: that ended, every one compared with an undisturbed one.
        trials: that were told.
        typical: seconds that a run took undisturbed.
        faults: what must not be, in sentences.
    """

    kills: Counter[str] = field(default_factory=Counter)
    interrupted: int = 0
    runs: int = 0
    trials: int = 0
    typical: float = 0.0
    faults: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return what to print."""
        by = ", ".join(f"{victim} {number}" for victim, number in sorted(self.kills.items()))
        return [
            f"{self.kills.total()} kills ({by}); a run took {self.typical:.0f} s undisturbed",
            f"{self.interrupted} interrupted and gone on with, {self.runs} runs and {self.trials} trials ended",
        ]


def campaign(kills: int, seed: int) -> Told:
    """Kill so many times, go on with what is left, and look at what is there."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        home = Path(place) / "home"
        home.mkdir()
        with _at_home(home):
            attack = _Attack(home, small_model(Path(place)), random.Random(seed))
            try:
                attack.carry_out(kills)
            except _StuckError as stuck:
                attack.told.faults.append(str(stuck))
            finally:
                attack.end()
    return attack.told


def small_model(folder: Path) -> Path:
    """Train a network of two narrow stages on the digits, in five seconds; return its checkpoint."""
    import torch

    from zspag_core.checkpoints import save_checkpoint
    from zspag_core.data import load_dataset
    from zspag_core.models.resnet import ResNetConfig
    from zspag_core.recipes import Recipe
    from zspag_core.training.loop import train

    digits = load_dataset("digits", image_size=8, channels=1)
    mean, std = digits.train.channel_statistics()
    config = ResNetConfig(channels=1, image_size=8, widths=(8, 16), blocks=(1, 1), mean=mean, std=std)
    recipe = Recipe(epochs=6, batch_size=64, crop=0, flip=False)
    model = train(config, digits.train, recipe, device=torch.device("cpu")).model
    save_checkpoint(folder / "digits.safetensors", model, {"data": "digits", "class_names": list(digits.class_names)})
    return folder / "digits.safetensors"


@contextlib.contextmanager
def _at_home(home: Path) -> Iterator[None]:
    """Let this process and its children use a home of their own."""
    before = {name: os.environ.get(name) for name in ("ZSPAG_HOME", "ZSPAG_DATABASE_URL")}
    os.environ["ZSPAG_HOME"] = str(home)
    os.environ.pop("ZSPAG_DATABASE_URL", None)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


class _StuckError(Exception):
    """Nothing has happened for long."""


class _Attack:
    """A dashboard with runs and sweeps under way, and someone who kills."""

    def __init__(self, home: Path, checkpoint: Path, rng: random.Random) -> None:
        self.home, self.rng, self.told = home, rng, Told()
        self.run = {"data": "digits", "checkpoint": str(checkpoint), "forget": [3], "device": "cpu", "method": "zspag"}
        self.run |= {"settings": SETTINGS, "seed": 0, "relearning": False}
        self.store: JobStore = open_store(home)
        self.server: Server = self._start()
        self.runs: list[Job] = []
        self.sweeps: list[Job] = []
        self.right: dict[int, str] = {}
        self.known: dict[str, float] = {}  # when a worker was first heard of
        self.soon: Counter[str] = Counter()
        self.hit: Counter[str] = Counter()

    def carry_out(self, kills: int) -> None:
        """Make every run undisturbed once, then kill, then let everything end."""
        self.runs = [self._submit(seed) for seed in range(SEEDS)]
        self._wait(lambda: not self._active())
        self.right = {job.config["seed"]: _digest(job) for job in self.runs}
        ended = [self.store.require(job.id) for job in self.runs]
        self.told.typical = max((job.finished or 0.0) - (job.started or 0.0) for job in ended)
        while self.told.kills.total() < kills:
            self._keep_busy()
            self._kill(self.rng.choice(VICTIMS))
        self._wait(lambda: not self._active())
        self._compare()

    def end(self) -> None:
        """End the server and its workers."""
        self.server.process.kill()
        self.server.process.wait()
        end_workers(self.home)
        self.store.close()

    def _start(self) -> Server:
        """Start the dashboard and look at its first page, which starts its workers."""
        server = start_server(self.home)

        async def look() -> None:
            visitor = Pupil(server.url, "", Seen())
            await visitor.open()
            await visitor.close()

        asyncio.run(look())
        return server

    def _submit(self, seed: int) -> Job:
        return self.store.submit("unlearn", self.run | {"seed": seed}, lane=Lane.RUNS, device="cpu")

    def _keep_busy(self) -> None:
        """See to it that every lane has something to do."""
        if not any(_goes_on(self.store.require(job.id)) for job in self.runs):
            self.runs += [self._submit(seed) for seed in range(SEEDS)]
        if not any(_goes_on(self.store.require(job.id)) for job in self.sweeps):
            axis = Axis(name="n_adv", values=tuple(range(4, 4 + TRIALS)))
            sweep = Sweep(run=self.run, space=(axis,), trials=TRIALS, seeds=(100 + len(self.sweeps),))
            self.sweeps.append(queue.submit_sweep(self.store, sweep.check()))

    def _active(self) -> bool:
        """Tell whether anything has not ended; what lost its worker goes on at the next look."""
        return any(_goes_on(self.store.require(job.id)) for job in (*self.runs, *self.sweeps))

    def _kill(self, victim: str) -> None:
        """Wait until a victim is at work, then some part of a run's time, then kill it."""
        if victim == SERVER:
            self._rest()
            self.server.process.kill()
            self.server.process.wait()
            self.soon.clear()
            self.server = self._start()
        else:
            job = self._at_work(victim)
            if job is None:
                return
            self._rest()
            if not self._end(job, victim):
                return
        self.told.kills[victim] += 1
        print(f"kill {self.told.kills.total()}: {victim}", file=sys.stderr, flush=True)
        self._look()

    def _rest(self) -> None:
        """Wait for a random part of the time that a run takes here."""
        until = time.monotonic() + self.rng.uniform(0.0, self.told.typical)
        while time.monotonic() < until:
            time.sleep(0.2)
            self._look()

    def _at_work(self, lane: str) -> Job | None:
        """Wait until a job of a lane is carried out; None where all work has ended meanwhile."""
        found: list[Job] = []

        def at_work() -> bool:
            found[:] = [job for job in self.store.latest(lane) if job.state == State.RUNNING]
            return bool(found) or not self._active()

        self._wait(at_work)
        return found[0] if found else None

    def _end(self, job: Job, lane: str) -> bool:
        """Kill the process that carries a job out; tell whether it may be killed and is there."""
        young = time.monotonic() - self.known.get(job.worker, time.monotonic()) < SOON_SECONDS
        given_up = young and self.soon[lane] >= PATIENCE - 1  # a dashboard starts no fourth that ends at once
        if given_up or self.hit[job.id] >= MOST_OF_ONE * (1 if lane == Lane.TRIALS else 1_000):
            return False
        self.soon[lane] = self.soon[lane] + 1 if young else 0
        self.hit[job.id] += 1
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(job.worker.split("-")[-2]), signal.SIGKILL)
            return True
        return False

    def _wait(self, until: Callable[[], bool]) -> None:
        """Look every half second until something is so, however long that takes, as long as something goes on."""
        before, since = "", time.monotonic()
        while not until():
            time.sleep(0.5)
            now = self._look()
            if now != before:
                before, since = now, time.monotonic()
            elif time.monotonic() - since > STUCK_SECONDS:
                raise _StuckError(f"nothing has happened for {STUCK_SECONDS:.0f} s: {now}")

    def _look(self) -> str:
        """Go on with what lost its worker, as a person would; complain of what must not be; say how far all is."""
        self.store.reap()
        for worker in self.store.heartbeats.alive("worker"):
            self.known.setdefault(worker.name, time.monotonic())
        told = []
        for job in (*self.runs, *self.sweeps):
            now = self.store.require(job.id)
            told.append(f"{now.lane} {now.number} {now.state} {json.dumps(now.progress)}")
            if now.state == State.INTERRUPTED:
                self.told.interrupted += 1
                self.store.resume(job.id)
            elif now.state in {State.FAILED, State.CANCELLED}:
                self._complain(f"{now.lane} {now.number} is {now.state}: {now.error}")
        for folder in (self.home / "runs").glob("[!.]*"):
            lacks = WHOLE - {path.name for path in folder.iterdir()}
            if lacks:
                self._complain(f"{folder.name} lacks {', '.join(sorted(lacks))}")
        return "; ".join(line for line in told if State.DONE not in line)

    def _complain(self, words: str) -> None:
        if words not in self.told.faults:
            self.told.faults.append(words)

    def _compare(self) -> None:
        """Complain of runs that ended otherwise than undisturbed, and of sweeps that lost or repeated a trial."""
        for job in self.runs:
            if self.store.require(job.id).state != State.DONE:
                continue  # said already
            self.told.runs += 1
            if _digest(job) != self.right[job.config["seed"]]:
                self._complain(f"run {job.number} ended in other bytes than undisturbed")
        for sweep in self.sweeps:
            rows: list[dict[str, Any]] = (self.store.require(sweep.id).answer or {"trials": []})["trials"]
            self.told.trials += len(rows)
            points = Counter(row["point"]["n_adv"] for row in rows)
            states = Counter(row["state"] for row in rows)
            if len(rows) != TRIALS or len(points) != TRIALS or states["done"] != TRIALS:
                self._complain(f"sweep {sweep.number}: {len(rows)} trials, {len(points)} different, {dict(states)}")


def _goes_on(job: Job) -> bool:
    return job.active or job.state == State.INTERRUPTED


def _digest(job: Job) -> str:
    """Return a digest of the model that a run wrote; a folder that cannot be read is told by the error."""
    folder = run_folder(job.id)
    json.loads((folder / "result.json").read_text())
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
