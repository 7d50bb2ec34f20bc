"""What workers can do, by name. A task takes the job and a reporter and returns an answer that JSON can write."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from zspag_core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zspag_core.jobs.records import Job
    from zspag_core.progress import Reporter

    Task = Callable[[Job, Reporter], Any]


def unlearn(job: Job, report: Reporter) -> dict[str, Any]:
    """Run one unlearning method and fill the run folder anew; the answer is what result.json holds."""
    report.progress("load", 0, 1)  # the imports below take seconds
    import shutil

    from zspag_core.runs import RunConfig, execute

    own = {field.name for field in dataclasses.fields(RunConfig)}  # pages add what they want to remember
    config = RunConfig.from_dict({name: value for name, value in job.config.items() if name in own})
    shutil.rmtree(job.folder, ignore_errors=True)  # an earlier attempt of the same job
    result: dict[str, Any] = execute(config, job.folder, report)
    return result


def engine(_job: Job, _report: Reporter) -> dict[str, Any]:
    """Describe the methods and their settings, and the devices of this machine."""
    from zspag_core.jobs.describe import describe_engine

    return describe_engine()


def checkpoint(job: Job, report: Reporter) -> dict[str, Any]:
    """Describe a checkpoint and show one picture of each of its classes."""
    from zspag_core.jobs.describe import describe_checkpoint

    return describe_checkpoint(str(job.config["checkpoint"]), report)


TASKS: dict[str, Task] = {"unlearn": unlearn, "engine": engine, "checkpoint": checkpoint}


def find_task(kind: str) -> Task:
    """Return the task of a name.

    Raises:
        UsageError: there is none.
    """
    if kind not in TASKS:
        raise UsageError(f"job: expected one of {', '.join(TASKS)}, got {kind!r}")
    return TASKS[kind]
