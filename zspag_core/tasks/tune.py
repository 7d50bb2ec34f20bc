"""A sweep, as a job: which points to try, their runs, what came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.tuning.dispatcher import dispatch

if TYPE_CHECKING:
    from zspag_core.jobs.records import Job
    from zspag_core.progress import Reporter


def tune(job: Job, report: Reporter) -> dict[str, Any]:
    """Carry out a sweep: ask which points to try, queue their runs, and tell what came of them."""
    report.progress("tune", 0, 1)
    return dispatch(job, report)
