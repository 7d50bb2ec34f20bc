"""How long trials take, and how long a sweep still will: by what was measured; without torch."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.jobs.records import Job

ONCE = ("load", "before", "yardstick")
"""Stages whose result later trials of the same worker, or all, find ready: the first one alone pays for them."""


def once_of(run: Job) -> float:
    """Return how many of a run's seconds went into what later trials find ready."""
    seconds: Mapping[str, float] = run.progress.get("seconds", {})
    return sum(seconds.get(stage, 0.0) for stage in ONCE)


def lasting(run: Job) -> float:
    """Return how many seconds a run would take as a later trial."""
    return max(0.0, (run.finished or 0.0) - (run.started or run.finished or 0.0) - once_of(run))


def seconds_a_trial(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Return how many seconds a further trial takes, judged by those that have ended; None where none took any."""
    took = [max(0.0, row["took"] - row.get("once", 0.0)) for row in rows if row["took"]]
    return median(took) if took else None


def seconds_left(rows: Sequence[Mapping[str, Any]], trials: int, workers: int) -> float | None:
    """Return how many seconds a sweep still takes.

    Args:
        rows: its trials that have ended.
        trials: how many there will be.
        workers: processes that carry them out.

    Returns:
        None where nothing was measured yet, or nothing is left.
    """
    each, left = seconds_a_trial(rows), trials - len(rows)
    return None if each is None or left <= 0 else each * left / max(1, min(workers, left))
