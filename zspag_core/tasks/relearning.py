"""How many steps of training bring the forgotten classes of a finished run back; runs on large data leave that out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.metrics.accuracy import percent
from zspag_core.metrics.deep import relearn
from zspag_core.metrics.predictions import logits_of
from zspag_core.progress import SILENT
from zspag_core.tasks.finished_run import open_run

if TYPE_CHECKING:
    from zspag_core.jobs.records import Job
    from zspag_core.progress import Reporter


def measure_relearning(job: Job, report: Reporter = SILENT) -> dict[str, Any]:
    """Count the steps for both models of a run, with the same images for both.

    Args:
        job: its config is {"run": job id}.
        report: receives progress at every step, as stage "relearning".

    Returns:
        {"before": …, "after": …}, each {"steps", "reached", "acc_rt"} as in result.json, or None where it is undefined.

    Raises:
        UsageError: there is no such run.
    """
    run = open_run(str(job.config["run"]), job.device)
    test = run.dataset.test.of_classes(run.config.classes)
    known = percent(logits_of(run.original, test.images).argmax(1) == test.labels)
    answer: dict[str, Any] = {}
    for when, model in (("before", run.original), ("after", run.unlearned)):
        found = relearn(model, run.dataset, run.config.classes, known, seed=run.config.seed, report=report)
        answer[when] = found and found.to_dict()
    return answer
