"""How deep a finished run forgot, stage by stage; asked for on the Results page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.files import finite
from zspag_core.groups import lacking
from zspag_core.metrics.depth.ends import ORIGINAL, RETRAINED, UNLEARNED
from zspag_core.progress import SILENT
from zspag_core.runs.depth import check_images, measure
from zspag_core.tasks.finished_run import open_run

if TYPE_CHECKING:
    from zspag_core.jobs.records import Job
    from zspag_core.progress import Reporter


def measure_depth(job: Job, report: Reporter = SILENT) -> dict[str, Any]:
    """Measure how deep a run forgot.

    Args:
        job: its config is {"run": job id, "extent": "quick" or "all", "retrained": job id of a retraining run, or ""}.
        report: receives how far it is, as stages "depth" and "information".

    Returns:
        What result.json would hold as "depth".

    Raises:
        UsageError: there is no such run, or its data lack images.
        UnlearningError: the models' features are not numbers.
    """
    config, device = job.config, job.device
    run = open_run(str(config["run"]), device)
    data = str(run.config.data)
    check_images(lacking(run.dataset, run.config.classes), data)
    models = {ORIGINAL: run.original, UNLEARNED: run.unlearned}
    if retrained := str(config.get("retrained", "")):
        models[RETRAINED] = open_run(retrained, device).unlearned
    extent, asked = str(config["extent"]), (models, run.dataset, run.config.classes, run.about)
    found = measure(extent, *asked, seed=run.config.seed, report=report)
    answer: dict[str, Any] = finite(found | {"data": data, "extent": extent})
    return answer
