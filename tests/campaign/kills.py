"""Workers killed with -9 at random moments of real runs: nothing half-written or lost, the same bytes in the end."""

from __future__ import annotations

import hashlib
import json
import os
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zspag_core.jobs import Job, JobStore

RUNS = 4
LONGEST_GAP = 25.0  # seconds between two kills; a worker needs some to start
LONGEST = 900.0  # seconds that the runs may take after the last kill
WHOLE = {"config.json", "result.json", "model.safetensors"}
SETTINGS = {"epochs": 4, "n_adv": 10, "stop_rule": False}


@dataclass
class Told:
    """What a campaign of kills came to.

    Attributes:
        kills: how many there were.
        interrupted: runs that one of them met; each was gone on with.
        faults: what must not be, in sentences.
    """

    kills: int = 0
    interrupted: int = 0
    faults: list[str] = field(default_factory=list)


def campaign(kills: int, seed: int) -> Told:
    """Kill a worker so many times while it carries out runs, go on with what it left, and look at what is there."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["ZSPAG_HOME"] = home
        from zspag_core.jobs import JobStore, Lane
        from zspag_core.jobs.supervisor import start_worker

        rng, told, store = random.Random(seed), Told(), JobStore()
        jobs = [_submit(store, number) for number in range(RUNS)]
        worker = start_worker(Lane.RUNS, "cpu")
        while told.kills < kills:
            time.sleep(rng.uniform(0.5, LONGEST_GAP))
            worker.kill()
            worker.wait()
            told.kills += 1
            _look(Path(home), store, jobs, told)
            worker = start_worker(Lane.RUNS, "cpu")
            if not any(store.require(job.id).active for job in jobs):
                jobs += [_submit(store, len(jobs) + number) for number in range(RUNS)]
        deadline = time.monotonic() + LONGEST
        while any(store.require(job.id).active for job in jobs) and time.monotonic() < deadline:
            time.sleep(1.0)
            _look(Path(home), store, jobs, told)
        worker.kill()
        worker.wait()
        _compare(store, jobs, told)
        store.close()
    return told


def _submit(store: JobStore, number: int) -> Job:
    """Queue a run; every seed is asked for twice in a row, so that both must end in the same bytes."""
    from zspag_core.jobs import Lane
    from zspag_core.shipped import model_path

    config = {"data": "digits", "checkpoint": str(model_path(Path("digits_resnet"))), "forget": [3], "device": "cpu"}
    config |= {"method": "zspag", "settings": SETTINGS, "seed": number // 2, "relearning": False}
    return store.submit("unlearn", config, lane=Lane.RUNS, device="cpu")


def _look(home: Path, store: JobStore, jobs: list[Job], told: Told) -> None:
    """Mark what lost its worker, as a dashboard does, and go on with it; complain of a folder that is not whole."""
    from zspag_core.jobs import State

    store.reap()
    for job in jobs:
        now = store.require(job.id)
        if now.state == State.INTERRUPTED:
            told.interrupted += 1
            store.resume(job.id)
        elif now.state in {State.FAILED, State.CANCELLED}:
            told.faults.append(f"run {job.number} is {now.state}: {now.error}")
    for folder in (home / "runs").glob("[!.]*"):
        lacks = WHOLE - {path.name for path in folder.iterdir()}
        if lacks:
            told.faults.append(f"{folder.name} lacks {', '.join(sorted(lacks))}")
            continue
        json.loads((folder / "result.json").read_text())


def _compare(store: JobStore, jobs: list[Job], told: Told) -> None:
    """Complain of runs that did not end, and of equal ones that ended otherwise."""
    from zspag_core.jobs import State
    from zspag_core.jobs.folders import run_folder

    digests: dict[int, set[str]] = {}
    for job in jobs:
        now = store.require(job.id)
        if now.state != State.DONE:
            told.faults.append(f"run {job.number} ended as {now.state}: {now.error}")
            continue
        content = (run_folder(job.id) / "model.safetensors").read_bytes()
        digests.setdefault(job.config["seed"], set()).add(hashlib.sha256(content).hexdigest())
    told.faults += [f"seed {seed}: {len(found)} different models" for seed, found in digests.items() if len(found) > 1]
