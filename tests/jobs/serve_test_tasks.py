"""A worker process for tests: the real worker with tasks that need no torch. Arguments: lanes.

SKEW_SECONDS puts this process's clock forward, as on a machine of which nobody set it.
"""

from __future__ import annotations

import os
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


def short(job, report):
    report.progress("unlearn", 0, 1)
    time.sleep(0.3)
    with (job.folder.parent.parent / "ends.txt").open("a", encoding="utf-8") as log:
        log.write(f"{job.id}\n")
    return {"worker": job.worker}


if skew := float(os.environ.get("SKEW_SECONDS", "0")):
    true_time = time.time
    time.time = lambda: true_time() + skew
TASKS = {"endless": endless, "quick": quick, "short": short}
worker = Worker(JobStore(), sys.argv[1:] or ["runs", "interactive"], "cpu", find=TASKS.get)
signal.signal(signal.SIGTERM, lambda *_: worker.stopping.set())
worker.serve()
