"""What a job is to those who read it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class State(StrEnum):
    """Where a job stands. Compare by value: a reloaded module has other members with the same values."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Lane(StrEnum):
    """The queues that workers serve; any other name makes a new one."""

    RUNS = "runs"
    INTERACTIVE = "interactive"
    MAPS = "maps"
    SWEEPS = "sweeps"
    TRIALS = "trials"


SPARE, AHEAD = "spare", "ahead"
"""The queue and the kind of what may be asked for soon. No process serves it: who serves runs looks into it while none
of them waits."""
UNEXPECTED = "unexpected: "
"""How the error of a job begins that no person's request explains: a fault here, or in an owner's network."""
ON_DEMAND = frozenset({Lane.MAPS, Lane.SWEEPS, Lane.TRIALS})
"""The lanes whose process starts with the first work for it and ends a while after the last."""
ROWS = "rows-"
"""How the lane of the rows that one `reproduce` fills begins: it serves them itself, no dashboard does."""


def starts_on_demand(lane: str) -> bool:
    """Tell whether a lane's process starts with the first work for it and ends a while after the last."""
    return lane in ON_DEMAND or lane.startswith(ROWS)


def lane_of(kind: str, config: Mapping[str, Any]) -> str:
    """Return the lane of a short task: UMAP takes seconds in which no preview must wait, all else is quick."""
    if kind == AHEAD:
        return SPARE
    return Lane.MAPS if kind == "map" and config.get("kind") == "umap" else Lane.INTERACTIVE


class Command(StrEnum):
    """What a person wants of a running job."""

    NONE = ""
    CANCEL = "cancel"
    PAUSE = "pause"
    STEP = "step"


ACTIVE = frozenset({State.QUEUED, State.RUNNING})
"""The states that a job leaves by itself."""


@dataclass(frozen=True)
class Job:
    """One row of the job table.

    Attributes:
        id: unguessable name, also the name of its run folder.
        number: which job of its lane it is, from 1: the runs that a person started are numbered without gaps.
        kind: the task, a key of zspag_core.tasks.table.TASKS.
        lane: the queue it waits in.
        config: what the task is given, plain JSON values.
        device: the device asked for.
        state: where it stands.
        command: what a person asked of it.
        worker: name of the process that claimed it, empty before.
        created: submission, seconds since 1970; started, finished: likewise, None before.
        progress: {"stage", "done", "first" (what was done when this attempt came to the stage), "total", "figures",
            "seconds": {stage: seconds}} while it runs, else maybe empty.
        answer: what the task returned, None before the end.
        error: one plain sentence, empty if all is well.
        details: what to copy into a report of the error.
        folder: the run folder; it exists once the job has run.
        title: what a person calls it, empty where nobody has named it.
        note: what a person wrote about it.
        deleted: when it was deleted, seconds since 1970, None while it is there.
        comparison: name of the comparison that it was queued for, empty where it was queued alone.
        owner: the visitor who asked for it, empty where one person uses the dashboard alone.
        pinned: since when a clean-up leaves it alone, seconds since 1970, None where nobody pinned it.
    """

    id: str
    number: int
    kind: str
    lane: str
    config: Mapping[str, Any]
    device: str
    state: State
    command: Command
    worker: str
    created: float
    started: float | None
    finished: float | None
    progress: Mapping[str, Any]
    answer: Any
    error: str
    details: str
    folder: Path
    title: str = ""
    note: str = ""
    deleted: float | None = None
    comparison: str = ""
    owner: str = ""
    pinned: float | None = None

    @property
    def active(self) -> bool:
        """Tell whether the job is waiting or running."""
        return self.state in ACTIVE


@dataclass(frozen=True)
class Event:
    """Something that happened during a job.

    Attributes:
        sequence: rising number within the whole database.
        kind: "stage", "epoch", "partway" (within an epoch), "watch", "note" or "graded".
        at: seconds since 1970.
        body: the figures.
    """

    sequence: int
    kind: str
    at: float
    body: Mapping[str, Any]
