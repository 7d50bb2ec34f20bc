"""Sweeps and trials as jobs of the queue: everything that tuning needs of it stands here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update

from zspag_core.files import stamp
from zspag_core.jobs.heartbeats import WORKER
from zspag_core.jobs.records import Command, Lane, State
from zspag_core.jobs.schema import database_url, events, jobs, to_text
from zspag_core.runs.command_line import CLASSES_FILE
from zspag_core.runs.version import code_version
from zspag_core.tuning.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.jobs.records import Job
    from zspag_core.jobs.store import JobStore

KIND, RUN, BEGUN, ROW, EPOCH = "tune", "unlearn", "begun", "trial", "epoch"
"""A sweep's task, that of its runs, the events that tell a trial queued and one ended, a run's that tells an epoch."""
LISTED = 1000
OPEN = 256
"""Trials among the newest of which some may be under way."""
REMEMBERED = ("class_names", "all_names", CLASSES_FILE)
"""What a sweep's runs remember for pages and for the line that repeats one."""
STOPPED = (State.CANCELLED, State.INTERRUPTED)

__all__ = ["Lane", "State", "database_url"]


def submit_sweep(store: JobStore, sweep: Sweep, more: Mapping[str, Any] | None = None) -> Job:
    """Queue a sweep; `more` is what pages want to remember of it."""
    return store.submit(KIND, {**(more or {}), **sweep.to_dict()}, lane=Lane.SWEEPS, device=str(sweep.run["device"]))


def find_sweep(store: JobStore, sweep: Sweep) -> Job | None:
    """Return the newest job of the same sweep, whatever its budget."""
    wanted = to_text(sweep.identity())
    known = store.latest(Lane.SWEEPS, LISTED, kind=KIND)
    return next((job for job in known if to_text(Sweep.from_dict(job.config).identity()) == wanted), None)


def go_on(store: JobStore, job: Job, *, trials: int, minutes: float = 0.0) -> Job:
    """Queue a sweep that has ended again, perhaps with another budget; what it has found stays."""
    store.check_own(job.id)
    config = {**job.config, "trials": trials, "minutes": minutes}
    fresh = {"state": State.QUEUED, "command": Command.NONE, "worker": "", "started": None, "finished": None}
    cleared = {"progress": "{}", "error": "", "details": "", "config": to_text(config), "answer": "null"}
    ended = jobs.c.state.not_in([State.QUEUED, State.RUNNING])
    with store.engine.begin() as connection:
        if connection.execute(update(jobs).where(jobs.c.id == job.id, ended).values(**fresh, **cleared)).rowcount:
            connection.execute(delete(events).where(events.c.job == job.id))
    return store.require(job.id)


def obtain(store: JobStore, sweep: Job, config: Mapping[str, Any]) -> Job:
    """Return the job of one run of a sweep: the same run done, waiting or under way, or a new one at the queue's end.

    Args:
        store: the queue.
        sweep: whose run it is.
        config: of the run.
    """
    content = {place: stamp(Path(str(config[place]))) for place in ("checkpoint", "data")}
    names = {key: sweep.config[key] for key in REMEMBERED if key in sweep.config}
    asked = {**config, **names, "trial": [code_version(), content]}
    known = store.recall(RUN, asked)
    anothers = known is not None and known.owner != sweep.owner and known.state != State.DONE
    if known is None or anothers:  # what is under way for another visitor ends when they say so
        device = str(config["device"])
        return store.submit(RUN, asked, lane=Lane.TRIALS, device=device, comparison=sweep.id, owner=sweep.owner)
    if known.state in STOPPED:
        store.resume(known.id)
        return store.require(known.id)
    return known


def rows_of(store: JobStore, sweep_id: str) -> list[dict[str, Any]]:
    """Return the trials of a sweep that have ended, by their numbers."""
    rows = {event.body["number"]: dict(event.body) for event in store.events(sweep_id, kind=ROW)}
    return [rows[number] for number in sorted(rows)]


def count_rows(store: JobStore, sweep_id: str) -> int:
    """Return how many trials of a sweep have ended, without reading them."""
    rows = select(func.count()).select_from(events).where(events.c.job == sweep_id, events.c.kind == ROW)
    with store.engine.connect() as connection:
        return int(connection.execute(rows).scalar_one())


def epochs_of(store: JobStore, run: str) -> list[dict[str, Any]]:
    """Return the figures of a run's epochs so far, "epoch" and "total" among them; the original model is none."""
    return [dict(event.body) for event in store.events(run, kind=EPOCH) if event.body["epoch"]]


def tell_row(store: JobStore, sweep: Job, row: Mapping[str, Any]) -> None:
    """Tell everybody that a trial has ended."""
    store.record(sweep, ROW, row)


def tell_begun(store: JobStore, sweep: Job, trial: Mapping[str, Any]) -> None:
    """Tell everybody that the runs of a trial are queued: {"number", "point", "jobs"}."""
    store.record(sweep, BEGUN, trial)


def under_way(store: JobStore, sweep_id: str) -> list[tuple[dict[str, Any], Job]]:
    """Return the trials of a sweep of which a run is being carried out, each with that run, by their numbers."""
    begun = select(events.c.body).where(events.c.job == sweep_id, events.c.kind == BEGUN)
    newest = begun.order_by(events.c.sequence.desc()).limit(OPEN)
    with store.engine.connect() as connection:
        rows = {trial["number"]: trial for trial in map(json.loads, connection.execute(newest).scalars())}
        runs = [run for trial in rows.values() for run in trial["jobs"]]
        at_work = select(jobs.c.id).where(jobs.c.id.in_(runs), jobs.c.state == State.RUNNING)
        running = set(connection.execute(at_work).scalars())
    firsts = (
        (rows[number], next((run for run in rows[number]["jobs"] if run in running), "")) for number in sorted(rows)
    )
    return [(trial, store.require(run)) for trial, run in firsts if run]


def epoch_reached(store: JobStore, run: str) -> tuple[int, int] | None:
    """Return the number of the last epoch of a run and how many there may be; None before the first."""
    epochs = epochs_of(store, run)
    return (epochs[-1]["epoch"], epochs[-1]["total"]) if epochs else None


def workers(store: JobStore) -> int:
    """Return how many processes carry out trials."""
    return sum(Lane.TRIALS in beat.lanes for beat in store.heartbeats.alive(WORKER))


def stop_runs(store: JobStore, runs: Sequence[str]) -> None:
    """Stop the runs under way of a sweep that was stopped; what they have finished is kept."""
    for run in runs:
        store.cancel(run)
