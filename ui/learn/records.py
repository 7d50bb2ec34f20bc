"""What is kept of a run for a lesson: of runs that ship with the app, and of those that a visitor has just made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ui.shell.engine_words import said_of
from zspag_core import files
from zspag_core.jobs import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from zspag_core.jobs import Job

    Arrays = Mapping[str, NDArray[Any]]

FIGURES = ("acc_rt", "acc_ut", "acc_per_class", "probe", "mia", "relearning")
PER_EPOCH = ("epoch", "acc_rt", "acc_ut", "loss")
PER_ATTACK = ("asr", "attempted", "per_class")
DIGITS = 3


def record_of(result: Mapping[str, Any], grading: Arrays | None) -> dict[str, Any]:
    """Return what a lesson keeps of a run.

    Args:
        result: what result.json says, of a run that came to its end.
        grading: the arrays of the file "grading"; without them nobody knows what the forgotten class is read as.
    """
    forget = list(result["forget"])
    record = {
        "method": result["method"],
        "forget": forget,
        "before": _figures(result["before"]),
        "after": _figures(result["after"]),
        "mask": (result.get("mask") or {}).get("acc_rt"),
        "history": [{name: row.get(name) for name in PER_EPOCH} for row in result.get("history", [])],
        "proxies": {name: result["proxies"][name] for name in PER_ATTACK} if result.get("proxies") else None,
        "read_as": _read_as(grading, forget) if grading is not None else {},
    }
    rounded: dict[str, Any] = files.finite(_rounded(record))
    return rounded


def without_answer(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a record says of the original model alone; None where it says nothing, as of a run that failed."""
    known = {name: record[name] for name in ("method", "forget", "before", "mask") if name in record}
    return {**known, "after": {}, "history": [], "proxies": None, "read_as": {}} if "before" in known else None


def record_of_job(job: Job, grading: Arrays | None) -> dict[str, Any] | None:
    """Return the record of a visitor's run; None while it is under way, or when it was stopped."""
    if job.state == State.DONE and isinstance(job.answer, dict) and job.answer.get("after"):
        return record_of(job.answer, grading)
    return {"error": said_of(job, job.error).rstrip(".")} if job.state == State.FAILED else None


def _figures(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of a model that lessons speak of."""
    return {name: part[name] for name in FIGURES if part.get(name) is not None}


def _read_as(grading: Arrays, forget: list[int]) -> dict[str, int]:
    """Return how many test images of the forgotten classes the unlearned model reads as each class."""
    read = grading["test.after"].argmax(1)[np.isin(grading["test.labels"], forget)]
    classes, counts = np.unique(read, return_counts=True)
    return {str(k): int(n) for k, n in zip(classes, counts, strict=True)}


def _rounded(value: Any) -> Any:  # noqa: ANN401 - anything that JSON can write
    """Round every number in a record, so that the files stay small."""
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return round(value, DIGITS) if isinstance(value, float) else value
