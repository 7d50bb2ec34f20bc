"""One run of an unlearning method, as a job."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zspag_core.errors import ZspagError
from zspag_core.jobs.folders import state_folder
from zspag_core.runs.config import RunConfig
from zspag_core.runs.execute import execute
from zspag_core.runs.held import prepare_held
from zspag_core.runs.shared_cache import shared_cache
from zspag_core.tasks.embedding_map import draw_map

if TYPE_CHECKING:
    from zspag_core.jobs.records import Job
    from zspag_core.progress import Reporter


def unlearn(job: Job, report: Reporter) -> dict[str, Any]:
    """Run one unlearning method and fill the run folder anew; the answer is what result.json holds.

    What an earlier attempt of the same job finished is not computed again, and neither is what earlier runs have in
    common with this one: model and data in memory, the original's grade, a method's own stages.
    """
    config = RunConfig.from_job(job.config)
    shutil.rmtree(job.folder, ignore_errors=True)  # an earlier attempt of the same job
    if "trial" in job.config:
        from zspag_core.tuning.trials import carry_out

        return carry_out(config, job.folder, report, state=state_folder(job.id))
    state = state_folder(job.id)
    result = execute(
        config,
        job.folder,
        report,
        state=state,
        prepare=prepare_held,
        cache_of=shared_cache,
        finish_cancelled=False,
    )
    if result["after"] is not None:
        _draw_first_map(job)
    return result


def _draw_first_map(job: Job) -> None:
    """Draw the quick map of a run, so that pages have it at once; a run that gives none is a good run all the same."""
    with contextlib.suppress(ZspagError):
        draw_map(replace(job, config={"run": job.id, "kind": "pca"}))
