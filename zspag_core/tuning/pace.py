"""How long trials take, and how long a sweep still will: by what was measured; without torch."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.jobs.records import Job

ONCE = ("load", "before", "yardstick")
"""Stages whose result later trials of the same worker, or all, find ready: the first one alone pays for them."""
SETTLED = 0.1
"""Share of a trial's time up to which it counts as one that found them ready."""


def once_of(run: Job) -> float:
    """Return how many of a run's seconds went into what later trials find ready."""
    seconds: Mapping[str, float] = run.progress.get("seconds", {})
    return sum(seconds.get(stage, 0.0) for stage in ONCE)


def lasting(run: Job) -> float:
    """Return how many seconds a run would take as a later trial."""
    return max(0.0, (run.finished or 0.0) - (run.started or run.finished or 0.0) - once_of(run))


@dataclass(frozen=True)
class TimeLeft:
    """How long a sweep still takes.

    Attributes:
        seconds: as far as it was measured.
        rough: whether only trials have ended that paid for what later ones find ready: what they spent on it is left
            out where a stage says it; their first grading and first imports are not.
    """

    seconds: float
    rough: bool

    @property
    def about(self) -> str:
        """Return the word before the time."""
        return "roughly" if self.rough else "about"


def time_left(rows: Sequence[Mapping[str, Any]], trials: int, workers: int) -> TimeLeft | None:
    """Return how long a sweep still takes, by the median of the trials that have ended.

    Args:
        rows: its trials that have ended.
        trials: how many there will be.
        workers: processes that carry them out.

    Returns:
        None where nothing was measured yet, or nothing is left.
    """
    measured, left = [row for row in rows if row["took"]], trials - len(rows)
    if not measured or left <= 0:
        return None
    settled = [row for row in measured if row.get("once", 0.0) <= SETTLED * row["took"]]
    each = median(row["took"] - row.get("once", 0.0) for row in settled or measured)
    return TimeLeft(max(0.0, each) * left / max(1, min(workers, left)), rough=not settled)
