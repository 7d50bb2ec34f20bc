"""A sweep over several workers that are killed: is every trial told once, and how busy are the workers?

    python docs/measurements/many_workers.py --workers 3 --trials 60 --kill-every 20 --skew 60
    python docs/measurements/many_workers.py --dask --workers 3 --trials 60 --kill-every 20 --skew 60

Starts a Postgres of its own (Debian, Ubuntu: apt install postgresql), or uses SQLite with --sqlite. Workers, queue and
dispatcher are the real ones; a trial sleeps for `--seconds` instead of computing. Every `--kill-every` seconds a worker
is killed with SIGKILL and another one started, the dispatcher is killed once; the first worker's clock goes `--skew`
seconds fast, the second one's as much slow. With --dask the workers are those of a Dask cluster on this machine, and a
trial is a process that one of them starts; the first kill leaves that process alone, the second one ends it, too, and
so on in turns. Prints what the study holds in the end; exit code 1 where a trial is lost or told twice.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from zspag_core.jobs import JobStore, Lane, State, cluster
from zspag_core.jobs.cluster import Cluster
from zspag_core.jobs.worker import Worker
from zspag_core.shipped import model_path
from zspag_core.tuning import queue
from zspag_core.tuning.dispatcher import dispatch
from zspag_core.tuning.space import Axis
from zspag_core.tuning.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
SKEW, SECONDS, SCHEDULER = "SKEW_SECONDS", "TRIAL_SECONDS", "SCHEDULER_FILE"
DASK = ("-m", "dask")
MIA = {"same_class": {"accuracy": 51.0, "auc": 47.5, "auc_ci": [40, 55]}}
ANSWER = {"after": {"acc_rt": 98.0, "acc_ut": 1.0, "mia": MIA, "probe": 99.0}, "mask": {"acc_rt": 97.5}, "seconds": {}}
YARDSTICK = dict.fromkeys(("forgotten", "agreement", "confidence", "divergence"), 1.0)


def main() -> int:
    """Run the campaign, or one of its processes."""
    if sys.argv[1:3] == ["worker", "--once"]:
        worker().serve_once(sys.argv[3])
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a trial")
    parser.add_argument("--kill-every", type=float, default=20.0, help="seconds; 0 kills nobody")
    parser.add_argument("--skew", type=float, default=60.0)
    parser.add_argument("--sqlite", action="store_true")
    parser.add_argument("--dask", action="store_true", help="workers of a Dask cluster")
    parser.add_argument("--serve", choices=(Lane.TRIALS, Lane.SWEEPS), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.serve)
        return 0
    from tests.postgres import server

    with tempfile.TemporaryDirectory() as home, nullcontext("") if chosen.sqlite else server() as url:
        os.environ |= {"ZSPAG_HOME": home, SECONDS: str(chosen.seconds)} | ({"ZSPAG_DATABASE_URL": url} if url else {})
        if not chosen.dask:
            return campaign(chosen)
        os.environ[SCHEDULER] = str(Path(home) / "scheduler.json")
        scheduler = spawn(
            [*DASK, "scheduler", "--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", os.environ[SCHEDULER]]
        )
        try:
            return campaign(chosen)
        finally:
            end(scheduler)


def worker(*lanes: str) -> Worker:
    """Return a worker whose trials sleep, with a clock that is wrong by SKEW_SECONDS."""
    true_time, skew = time.time, float(os.environ.get(SKEW, "0"))
    time.time = lambda: true_time() + skew

    def trial(_job: Any, report: Any) -> dict[str, Any]:
        report.progress("unlearn", 0, 1)
        time.sleep(float(os.environ[SECONDS]))
        return {**ANSWER, "yardstick": YARDSTICK}

    return Worker(JobStore(), lanes, "cpu", find=lambda kind: trial if kind == queue.RUN else dispatch)


def serve(lane: str) -> None:
    """Be a worker; beside the dispatcher, hand trials to the cluster where there is one, as `tune` does."""
    if lane == Lane.TRIALS or SCHEDULER not in os.environ:
        worker(lane).serve()
        return
    from distributed import Client

    with Client(scheduler_file=os.environ[SCHEDULER]) as client, Cluster(JobStore(), client, device="cpu"):
        worker(lane).serve()


def dask_setup(_worker: object) -> None:
    """Have a Dask worker, which loads a copy of this file before it begins, start processes whose trials sleep."""
    cluster.PROGRAM = ("docs/measurements/many_workers.py",)


def start(lane: str, skew: float) -> subprocess.Popen[bytes]:
    """Start a process that serves a lane, or a Dask worker."""
    if lane == Lane.TRIALS and SCHEDULER in os.environ:
        words = [*DASK, "worker", "--scheduler-file", os.environ[SCHEDULER], "--no-nanny", "--nthreads", "1"]
        return spawn(
            [*words, "--no-dashboard", "--preload", __file__, "--local-directory", os.environ["ZSPAG_HOME"]], skew
        )
    return spawn([__file__, "--serve", lane], skew)


def spawn(words: Sequence[str], skew: float = 0.0) -> subprocess.Popen[bytes]:
    """Start a process of Python's, which leads a group of its own."""
    environment = os.environ | {SKEW: str(skew), "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical"}
    return subprocess.Popen([sys.executable, *words], env=environment, cwd=ROOT, start_new_session=True)  # noqa: S603


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and those that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def campaign(chosen: argparse.Namespace) -> int:
    """Queue a sweep, kill while it goes on, count in the end."""
    store = JobStore()
    run = {"data": "digits", "checkpoint": str(model_path(Path("digits_resnet"))), "forget": [3], "device": "cpu"}
    run |= {"method": "zspag", "settings": {}, "seed": 0}
    axis = Axis(name="n_adv", values=tuple(range(1, chosen.trials + 1)))
    sweep = Sweep(run=run, space=(axis,), trials=chosen.trials)
    skews = [(chosen.skew, -chosen.skew, 0.0)[k % 3] for k in range(chosen.workers)]
    workers = [start(Lane.TRIALS, skew) for skew in skews]
    leader, led, killed = start(Lane.SWEEPS, 0.0), 1, 0
    while len(store.heartbeats.alive("worker")) < chosen.workers + 1:
        time.sleep(0.2)
    job, began = queue.submit_sweep(store, sweep), time.monotonic()
    due = chosen.kill_every
    while (state := store.require(job.id).state) not in {State.DONE, State.FAILED}:
        time.sleep(0.2)
        store.reap()
        if state == State.INTERRUPTED:
            store.resume(job.id)
            leader, led = start(Lane.SWEEPS, 0.0), led + 1
        elif chosen.kill_every and time.monotonic() - began > due:
            victim = killed % chosen.workers
            (end if killed % 2 else subprocess.Popen.kill)(workers[victim])
            workers[victim] = start(Lane.TRIALS, skews[victim])
            killed, due = killed + 1, due + chosen.kill_every
            if killed == 1:
                leader.kill()
    wall = time.monotonic() - began
    for process in (*workers, leader):
        end(process)
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
