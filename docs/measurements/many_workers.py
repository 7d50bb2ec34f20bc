"""A sweep over several workers that are killed: is every trial told once, and how busy are the workers?

    python docs/measurements/many_workers.py --workers 3 --trials 60 --kill-every 20 --skew 60

Starts a Postgres of its own (Debian, Ubuntu: apt install postgresql), or uses SQLite with --sqlite. Workers, queue and
dispatcher are the real ones; a trial sleeps for `--seconds` instead of computing. Every `--kill-every` seconds a worker
is killed with SIGKILL and another one started, the dispatcher is killed once; the first worker's clock goes `--skew`
seconds fast, the second one's as much slow. Prints what the study holds in the end; exit code 1 where a trial is lost
or told twice.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from zspag_core.jobs import JobStore, Lane, State
from zspag_core.jobs.worker import Worker
from zspag_core.shipped import model_path
from zspag_core.tuning import queue
from zspag_core.tuning.dispatcher import dispatch
from zspag_core.tuning.space import Axis
from zspag_core.tuning.sweep import Sweep

ROOT = Path(__file__).parents[2]
MIA = {"same_class": {"accuracy": 51.0, "auc": 47.5, "auc_ci": [40, 55]}}
ANSWER = {"after": {"acc_rt": 98.0, "acc_ut": 1.0, "mia": MIA, "probe": 99.0}, "mask": {"acc_rt": 97.5}, "seconds": {}}
YARDSTICK = dict.fromkeys(("forgotten", "agreement", "confidence", "divergence"), 1.0)


def main() -> int:
    """Run the campaign, or one of its processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a trial")
    parser.add_argument("--kill-every", type=float, default=20.0, help="seconds; 0 kills nobody")
    parser.add_argument("--skew", type=float, default=60.0)
    parser.add_argument("--sqlite", action="store_true")
    parser.add_argument("--serve", choices=(Lane.TRIALS, Lane.SWEEPS), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.serve, chosen.seconds)
        return 0
    from tests.postgres import server

    with tempfile.TemporaryDirectory() as home, nullcontext("") if chosen.sqlite else server() as url:
        os.environ |= {"ZSPAG_HOME": home} | ({"ZSPAG_DATABASE_URL": url} if url else {})
        return campaign(chosen)


def serve(lane: str, seconds: float) -> None:
    """Be a worker, with a clock that is wrong by SKEW_SECONDS."""
    true_time, skew = time.time, float(os.environ.get("SKEW_SECONDS", "0"))
    time.time = lambda: true_time() + skew

    def trial(_job: Any, report: Any) -> dict[str, Any]:
        report.progress("unlearn", 0, 1)
        time.sleep(seconds)
        return {**ANSWER, "yardstick": YARDSTICK}

    Worker(JobStore(), (lane,), "cpu", find=lambda kind: trial if kind == queue.RUN else dispatch).serve()


def start(lane: str, chosen: argparse.Namespace, skew: float) -> subprocess.Popen[bytes]:
    """Start a process that serves a lane."""
    command = [sys.executable, __file__, "--serve", lane, "--seconds", str(chosen.seconds)]
    return subprocess.Popen(command, env=os.environ | {"SKEW_SECONDS": str(skew)}, cwd=ROOT)  # noqa: S603


def campaign(chosen: argparse.Namespace) -> int:
    """Queue a sweep, kill while it goes on, count in the end."""
    store = JobStore()
    run = {"data": "digits", "checkpoint": str(model_path(Path("digits_resnet"))), "forget": [3], "device": "cpu"}
    run |= {"method": "zspag", "settings": {}, "seed": 0}
    axis = Axis(name="n_adv", values=tuple(range(1, chosen.trials + 1)))
    sweep = Sweep(run=run, space=(axis,), trials=chosen.trials)
    skews = [(chosen.skew, -chosen.skew, 0.0)[k % 3] for k in range(chosen.workers)]
    workers = [start(Lane.TRIALS, chosen, skew) for skew in skews]
    leader, led, killed = start(Lane.SWEEPS, chosen, 0.0), 1, 0
    while len(store.heartbeats.alive("worker")) < chosen.workers + 1:
        time.sleep(0.2)
    job, began = queue.submit_sweep(store, sweep), time.monotonic()
    due = chosen.kill_every
    while (state := store.require(job.id).state) not in {State.DONE, State.FAILED}:
        time.sleep(0.2)
        store.reap()
        if state == State.INTERRUPTED:
            store.resume(job.id)
            leader, led = start(Lane.SWEEPS, chosen, 0.0), led + 1
        elif chosen.kill_every and time.monotonic() - began > due:
            victim = killed % chosen.workers
            workers[victim].kill()
            workers[victim] = start(Lane.TRIALS, chosen, skews[victim])
            killed, due = killed + 1, due + chosen.kill_every
            if killed == 1:
                leader.kill()
    wall = time.monotonic() - began
    for process in (*workers, leader):
        process.kill()
        process.wait()
    return count(store, job.id, chosen, wall, f"{killed} workers and {led - 1} dispatchers killed")


def count(store: JobStore, sweep: str, chosen: argparse.Namespace, wall: float, about: str) -> int:
    """Print what is in the study; return 1 where a trial is lost or told twice."""
    rows = store.require(sweep).answer["trials"]
    tried = Counter(row["point"]["n_adv"] for row in rows)
    states = Counter(row["state"] for row in rows)
    runs = store.latest(Lane.TRIALS, 10 * chosen.trials)
    busy = sum((run.finished or 0.0) - (run.started or 0.0) for run in runs if run.state == State.DONE)
    whole = len(tried) == len(rows) == chosen.trials and states["done"] == chosen.trials and len(runs) == chosen.trials
    print(f"{chosen.workers} workers, {chosen.trials} trials of {chosen.seconds:g} s, {about}, {wall:.1f} s")
    print(f"trials told {len(rows)}, different {len(tried)}, {dict(states)}, runs in the queue {len(runs)}")
    print(f"busy {100 * busy / (wall * chosen.workers):.1f} % of the workers' time, killed trials left out")
    print("every trial told once" if whole else "NOT every trial told once")
    return int(not whole)


if __name__ == "__main__":
    sys.exit(main())
