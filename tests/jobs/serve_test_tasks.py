"""A worker process for tests: the real worker with tasks that need no torch. Arguments: lanes."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from zspag_core.jobs import JobStore
from zspag_core.jobs.worker import Worker


def endless(job, report):
    with (job.folder.parent.parent / "starts.txt").open("a", encoding="utf-8") as log:
        log.write(f"{job.id}\n")
    for step in range(1_000_000):
        report.progress("unlearn", step, 1_000_000)
        time.sleep(0.02)


def quick(job, _report):
    return {"twice": 2 * job.config["number"]}


TASKS = {"endless": endless, "quick": quick}
worker = Worker(JobStore(), sys.argv[1:] or ["runs", "interactive"], "cpu", find=TASKS.get)
signal.signal(signal.SIGTERM, lambda *_: worker.stopping.set())
worker.serve()
