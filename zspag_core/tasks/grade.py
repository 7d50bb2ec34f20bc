"""Grading a finished run with data that its own lacked, as a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.jobs.folders import run_folder
from zspag_core.jobs.store import JobStore
from zspag_core.runs.regrade import regrade

if TYPE_CHECKING:
    from zspag_core.jobs.records import Job
    from zspag_core.progress import Reporter


def grade_again(job: Job, report: Reporter) -> dict[str, Any]:
    """Grade a finished run with data that its own lacked; its answer and its folder hold the figures from then on."""
    run, store = str(job.config["run"]), JobStore()
    try:
        original = store.require(run)
        folder = run_folder(original.id)
        result = regrade(folder, str(job.config["data"]), device=job.device, report=report)
        for drawn in folder.glob("map_*.safetensors"):  # these show the images that there were before
            drawn.unlink()
        store.replace_answer(original.id, result, job.id)
    finally:
        store.close()
    return result
