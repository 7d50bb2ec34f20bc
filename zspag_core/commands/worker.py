"""Serve the dashboard's queue on one device, until stopped with Ctrl-C.

The dashboard starts its own worker; start more by hand, one a device, here or on other machines that share
ZSPAG_DATABASE_URL and ZSPAG_HOME. It takes all cores and knows of none beside it: of N on one machine, start each as
`zspag --threads T worker` with T the cores over N. With --cluster it computes nothing itself: it hands runs and trials
to a Dask cluster, a process each.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from zspag_core.commands.serving import add_cluster, on_cluster
from zspag_core.commands.shared import add_device
from zspag_core.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from types import FrameType

    from zspag_core.jobs import JobStore

LANES = ("runs", "interactive", "maps", "sweeps", "trials")
LONG = ("runs", "trials")
"""What is worth a process of its own on a cluster."""
RUN_NICENESS = 3
LOOK_SECONDS = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_device(parser)
    words = f"serve this queue only, of {', '.join(LANES)}; may repeat (all; on a cluster {' and '.join(LONG)})"
    parser.add_argument("--lane", dest="lanes", action="append", metavar="LANE", help=words)
    parser.add_argument("--once", default="", metavar="JOB", help="carry out this one job, which waits, and end")
    parser.add_argument(
        "--until-idle",
        type=float,
        metavar="SECONDS",
        help="end after so long without work and without a dashboard (never)",
    )
    add_cluster(parser, "jobs")


def run(arguments: argparse.Namespace) -> int:
    """Serve; return 0 once stopped or, with --once, once the job has ended, however it did."""
    from zspag_core.jobs import JobStore, Lane, State
    from zspag_core.jobs.worker import NOT_TAKEN, Worker

    _check_lanes(arguments.lanes or ())
    store = JobStore()
    if arguments.cluster:
        return _hand_over(store, arguments)
    if arguments.once and store.require(arguments.once).state != State.QUEUED:
        return NOT_TAKEN
    from zspag_core.devices import resolve_device  # torch: not for a job that is no longer waiting

    device = str(resolve_device(arguments.device))
    lanes = () if arguments.once else arguments.lanes or LANES
    if {Lane.RUNS, Lane.TRIALS}.issuperset(lanes):  # and where it is one job only
        _step_back()
    elif Lane.INTERACTIVE in lanes:
        threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()
    first = _demo(device) if set(lanes) == {Lane.RUNS} else None
    worker = Worker(store, lanes, device, until_idle=arguments.until_idle, first=first)
    _stop_with(worker.stopping)
    if arguments.once:
        return 0 if worker.serve_once(arguments.once) else NOT_TAKEN  # it has ended, however it did
    sys.stderr.write(f"worker {worker.name} serves {', '.join(lanes)} on {device}\n")
    if not worker.serve():
        sys.stderr.flush()
        os._exit(0)  # a thread is deep in torch: tearing the interpreter down under it would abort with a core dump
    return 0


def _check_lanes(lanes: Sequence[str]) -> None:
    """Refuse to serve a lane that nobody queues anything in."""
    from zspag_core.jobs.records import ROWS

    for lane in lanes:
        if lane not in LANES and not lane.startswith(ROWS):
            raise UsageError(f"--lane: expected one of {', '.join(LANES)}, got {lane!r}")


def _hand_over(store: JobStore, arguments: argparse.Namespace) -> int:
    """Hand jobs to a cluster until stopped, or until it cannot carry out any: then what waits goes on waiting."""
    from zspag_core.jobs.cluster import LOCAL

    if arguments.cluster == LOCAL or arguments.once:
        raise UsageError("--cluster: expected the address of a scheduler and no --once: a worker here needs no cluster")
    stopped, lanes = threading.Event(), arguments.lanes or LONG
    _stop_with(stopped)
    with on_cluster(store, lanes, 0, arguments, give_up=False) as cluster:
        sys.stderr.write(f"jobs of {', '.join(lanes)} go to the cluster at {arguments.cluster}\n")
        while not (stopped.wait(LOOK_SECONDS) or cluster.trouble):
            pass
    return int(bool(cluster.trouble))


def _stop_with(stopping: threading.Event) -> None:
    """Set an event once this process is asked to end."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    for known in (signal.SIGINT, signal.SIGTERM):
        signal.signal(known, stop)


def _demo(device: str) -> dict[str, Any]:
    """Return the demo's run, which is often the first that a dashboard is asked for."""
    from zspag_core.runs.config import RunConfig
    from zspag_core.shipped import DEMO_CLASS, DEMO_DATA, DEMO_MODEL

    return RunConfig(DEMO_DATA, str(DEMO_MODEL), (DEMO_CLASS,), device=device).to_job()


def _step_back() -> None:
    """Let short tasks and the dashboard, for which a person waits, have the processor before a long run."""
    if hasattr(os, "nice"):
        os.nice(RUN_NICENESS)


def _warm_up() -> None:
    """Get ready for short tasks before the first one comes; a task that comes earlier waits for the same imports."""
    from zspag_core.tasks.warm_up import warm_up_short_tasks

    warm_up_short_tasks()
