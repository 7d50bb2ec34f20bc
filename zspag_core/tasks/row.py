"""A row of a comparison, as a job: `reproduce` has several filled side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core.reproduce.parallel import RowJob, fill

if TYPE_CHECKING:
    from zspag_core.jobs.records import Job
    from zspag_core.progress import Reporter


def fill_row(job: Job, report: Reporter) -> dict[str, str]:
    """Fill the cells of one row; see :func:`zspag_core.reproduce.parallel.fill_together`."""
    return fill(RowJob.from_config(job.config), job.device, report)
