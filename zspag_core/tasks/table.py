"""What workers can do, by name; a module is imported when its task is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from zspag_core.errors import UsageError
from zspag_core.safety import refuse_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from zspag_core.jobs.records import Job
    from zspag_core.progress import Reporter

    Task = Callable[[Job, Reporter], Any]

TASKS = {
    "unlearn": "unlearn.unlearn",
    "train": "train.train",
    "engine": "describe.describe_engine",
    "checkpoint": "describe.describe_checkpoint",
    "inspect_data": "inspect_data.inspect_data",
    "inspect_model": "inspect_model.inspect_model",
    "doubts": "inspect_model.try_assumptions",
    "adopt": "import_weights.import_weights",
    "model_report": "model_report.model_report",
    "preview": "preview.preview_attack",
    "samples": "attention.list_samples",
    "attention": "attention.compare_attention",
    "relearning": "relearning.measure_relearning",
    "depth": "depth.measure_depth",
    "grade": "grade.grade_again",
    "map": "embedding_map.draw_map",
    "tune": "tune.tune",
    "row": "row.fill_row",
}
"""Kind of a job -> module and function in this package; it takes the job and a reporter, and returns plain values."""


def find_task(kind: str) -> Task:
    """Return the task of a name.

    Raises:
        UsageError: there is none.
    """
    if kind not in TASKS:
        raise UsageError(f"job: expected one of {', '.join(TASKS)}, got {kind!r}")
    return _carry_out


def _carry_out(job: Job, report: Reporter) -> Any:  # noqa: ANN401 - the task's answer
    """Carry out a job, unless it would run an owner's code: what a browser asks comes through here."""
    refuse_code(job.config.get("model"))
    report.progress("load", 0, 1)  # importing takes seconds
    module, name = TASKS[job.kind].split(".")
    return getattr(import_module(f"zspag_core.tasks.{module}"), name)(job, report)
