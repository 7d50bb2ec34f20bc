"""Where the seconds of a run go: `python docs/measurements/demo.py` forgets the digits' threes as a worker does.

A job goes through queue, worker and database of an empty home, in a process that holds model and data, as a worker
does that is warm. Two runs are counted: the first of its model and classes, and the next one, which takes over the
original's grade and nothing else (`--runs 1` leaves it out). Processor seconds stand beside seconds on the clock: on a
machine that others use only the former can be compared. `--cifar` takes `cifar10_resnet_small` and CIFAR-10's cats;
`--against FOLDER` runs another checkout in turn with this one, so many `--rounds`, and prints medians.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DIGITS, CIFAR = ("digits", "digits_resnet_16", 3), ("cifar10", "cifar10_resnet_small", 3)
PARTS = (
    ("load", "zspag_core.tasks.unlearn", "prepare_held"),
    ("grade: forward", "zspag_core.metrics.grade", "outputs_of"),
    ("grade: membership", "zspag_core.metrics.grade", "membership"),
    ("grade: probe", "zspag_core.metrics.grade", "probe"),
    ("relearning", "zspag_core.runs.grading", "relearn"),
    ("proxies", "zspag_core.methods.stages", "generate_proxies"),
    ("subspace", "zspag_core.methods.stages", "estimate_subspace"),
    ("loop", "zspag_core.methods.zspag", "descend"),
    ("live: figures", "zspag_core.metrics.live", "LiveGrades.grade"),
    ("live: frames", "zspag_core.explain.watch", "Watch.look"),
    ("layers and neighbours", "zspag_core.runs.report", "describe_subspace"),
    ("layers and neighbours", "zspag_core.runs.report", "measure_agreement"),
    ("files", "zspag_core.runs.execute", "_write"),
    ("map", "zspag_core.tasks.unlearn", "draw_map"),
    ("database", "zspag_core.jobs.store", "JobStore.advance"),
    ("database", "zspag_core.jobs.store", "JobStore.record"),
)
"""What is counted: label, module and function; a part inside another is taken off that."""
MARKS = ("first epoch", "table", "end")


def main() -> int:
    """Measure this checkout, or this one and another in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", action="store_true", help="CIFAR-10 instead of the digits")
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=2, choices=(1, 2))
    parser.add_argument("--once", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    case = CIFAR if chosen.cifar else DIGITS
    if chosen.once is not None:
        print(json.dumps(measure(chosen.once, case, chosen.runs)))
        return 0
    trees = {"this": ROOT} | ({"other": chosen.against.resolve()} if chosen.against else {})
    found: dict[str, list[list[dict]]] = {name: [] for name in trees}
    for _ in range(chosen.rounds):
        for name, tree in trees.items():
            found[name].append(apart(tree, chosen.runs, cifar=chosen.cifar))
    for number, which in enumerate(("first run of its model and classes", "next run")[: chosen.runs]):
        show(which, {name: [runs[number] for runs in rounds] for name, rounds in found.items()})
    return 0


def apart(tree: Path, runs: int, *, cifar: bool) -> list[dict]:
    """Measure one checkout in a process of its own."""
    command = [sys.executable, __file__, "--once", str(tree), "--runs", str(runs), *(["--cifar"] if cifar else [])]
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"ZSPAG_HOME": home}
        answer = subprocess.run(  # noqa: S603 - our own command
            command, cwd=tree, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
    return json.loads(answer.stdout.splitlines()[-1])


def show(which: str, found: dict[str, list[dict]]) -> None:
    """Print the medians of one kind of run."""
    print(f"\n{which}")
    print(f"{'':<32}" + "".join(f"{name + ', processor':>18}{'clock':>8}" for name in found))
    labels = dict.fromkeys(label for runs in found.values() for run in runs for label in run)
    for label in sorted(labels, key=lambda one: one in MARKS):
        cells = []
        for runs in found.values():
            known = [run[label] for run in runs if label in run]
            cells += [statistics.median(side) for side in zip(*known, strict=True)] or [float("nan")] * 2
        print(f"{label:<32}" + "".join(f"{value:>{8 if place % 2 else 18}.2f}" for place, value in enumerate(cells)))


def measure(tree: Path, case: tuple[str, str, int], runs: int) -> list[dict]:
    """Return label -> (processor seconds, seconds on the clock) of each run of a checkout."""
    sys.path.insert(0, str(tree))
    data, model, forget = case
    counted = Counted()
    for label, module, name in PARTS:
        counted.count(label, module, name)
    importlib.import_module("zspag_core.runs.shared_cache").DEPENDS = {}  # else the next run would take over proxies
    asked = {"data": data, "checkpoint": str(tree / "assets" / "checkpoints" / f"{model}.safetensors")}
    asked |= {"forget": [forget], "method": "zspag", "settings": {}, "seed": 0, "class_names": []}
    hold(asked)
    return [run_job(asked, counted) for _ in range(runs)]


def hold(config: dict) -> None:
    """Load model and data, as a worker that has made a run with them holds them."""
    from zspag_core.runs.config import RunConfig
    from zspag_core.runs.held import prepare_held

    prepare_held(RunConfig.from_job(config | {"device": "cpu"}))


def run_job(config: dict, counted: Counted) -> dict:
    """Send a job through queue and worker; return what each part and mark took."""
    from zspag_core.jobs import JobStore, State
    from zspag_core.jobs.performance import perform
    from zspag_core.jobs.reporter import JobReporter

    store = JobStore()
    store.heartbeats.beat("worker", "worker", ("runs",), "cpu")
    job = store.submit("unlearn", config, device="cpu")
    claimed = store.claim("runs", "worker", "cpu")
    counted.begin()
    epoch, graded = JobReporter.epoch, getattr(JobReporter, "graded", None)

    def told_epoch(self: Any, number: int, *rest: Any, **figures: float) -> None:
        epoch(self, number, *rest, **figures)
        if number == 1:
            counted.mark("first epoch")

    def told_graded(self: Any, *rest: Any) -> None:
        graded(self, *rest)
        counted.mark("table")

    JobReporter.epoch = told_epoch
    if graded is not None:
        JobReporter.graded = told_graded
    try:
        perform(store, claimed, threading.Event())
    finally:
        JobReporter.epoch = epoch
        if graded is not None:
            JobReporter.graded = graded
    counted.mark("end")
    done = store.require(job.id)
    if done.state != State.DONE:
        raise RuntimeError(done.error)
    store.close()
    return counted.spent | {"table": counted.spent.get("table", counted.spent["end"])}


class Counted:
    """Adds up what functions take, each without the parts inside it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.thread = threading.get_ident()
        self.begin()

    def begin(self) -> None:
        """Forget what was counted."""
        self.spent: dict[str, tuple[float, float]] = {}
        self.inside = [(0.0, 0.0)]
        self.start = now()

    def mark(self, name: str) -> None:
        """Note what has gone by so far."""
        self.spent[name] = less(now(), self.start)

    def count(self, label: str, module: str, name: str) -> None:
        """Count a function from now on, where a checkout has it."""
        owner = importlib.import_module(module)
        *outer, last = name.split(".")
        for part in outer:
            owner = getattr(owner, part)
        function = getattr(owner, last, None)
        if function is None:
            return

        def counting(*given: Any, **named: Any) -> Any:
            if threading.get_ident() != self.thread:
                return function(*given, **named)
            begun = now()
            self.inside.append((0.0, 0.0))
            try:
                return function(*given, **named)
            finally:
                whole = less(now(), begun)
                own = less(whole, self.inside.pop())
                self.inside[-1] = more(self.inside[-1], whole)
                self.spent[label] = more(self.spent.get(label, (0.0, 0.0)), own)

        setattr(owner, last, counting)


def now() -> tuple[float, float]:
    """Return processor seconds of this process and seconds on the clock."""
    return time.process_time(), time.perf_counter()


def less(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Return the difference."""
    return one[0] - other[0], one[1] - other[1]


def more(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Return the sum."""
    return one[0] + other[0], one[1] + other[1]


if __name__ == "__main__":
    sys.exit(main())
