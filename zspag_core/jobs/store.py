"""The job table, which is the queue too."""

from __future__ import annotations

import json
import secrets
import shutil
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, delete, func, insert, or_, select, true, update

from zspag_core.errors import UsageError
from zspag_core.jobs.folders import run_folder, state_folder
from zspag_core.jobs.heartbeats import BEAT_SECONDS, STALE_SECONDS, WORKER, Heartbeats, lately, served_devices
from zspag_core.jobs.records import ACTIVE, Command, Event, Job, Lane, State
from zspag_core.jobs.schema import (
    TITLE_LENGTH,
    alone,
    beats,
    clock,
    database_url,
    events,
    jobs,
    open_database,
    to_text,
)
from zspag_core.jobs.turns import in_turn, last_served, next_in_turn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Engine, Row

KEPT_SECONDS = 86_400.0
"""How long a deleted job can be restored."""
RESUMABLE = (State.INTERRUPTED, State.CANCELLED, State.FAILED)
_shown_number = case((jobs.c.number_in_lane > 0, jobs.c.number_in_lane), else_=jobs.c.number)


class JobStore:
    """Jobs, their events and who is alive; safe to use from several threads and processes.

    Every change of state is one UPDATE that names the state (and, for a running job, the worker) it starts from. So a
    worker that was taken for dead finds that its job is no longer its own, and nothing it says later is written down.
    """

    def __init__(self, url: str | None = None) -> None:
        """Open the database: `url`, else ZSPAG_DATABASE_URL, else a file under ZSPAG_HOME."""
        self._engine = open_database(url or database_url())
        self._watched_since = self._watched_last = 0.0

    @property
    def engine(self) -> Engine:
        """The database connections, for tables beside the jobs."""
        return self._engine

    @cached_property
    def heartbeats(self) -> Heartbeats:
        """Who is alive."""
        return Heartbeats(self._engine)

    def close(self) -> None:
        """Close the database connections."""
        self._engine.dispose()

    # Those who ask

    def check_own(self, job_id: str) -> None:
        """Refuse to change a job that somebody else asked for; whoever has the whole store may change everything."""

    def check_room(self, runs: int = 1) -> None:
        """Refuse more waiting runs than there may be; whoever has the whole store may queue what they like."""

    def is_own(self, job: Job) -> bool:
        """Tell whether whoever has this store may change a job."""
        return True

    def listed(self) -> ColumnElement[bool]:
        """Return the condition that a job appears in lists: here, every one."""
        return true()

    def submit(
        self,
        kind: str,
        config: Mapping[str, Any],
        *,
        lane: str = Lane.RUNS,
        device: str = "auto",
        comparison: str = "",
        owner: str = "",
    ) -> Job:
        """Put a job at the end of a lane.

        Args:
            kind: the task.
            config: what it is given.
            lane: the queue.
            device: the device asked for.
            comparison: names what it is queued for, to be gathered by.
            owner: the visitor who asks, where several use one dashboard.
        """
        job_id = secrets.token_hex(12)
        values = {"kind": kind, "lane": str(lane), "config": to_text(dict(config)), "device": device}
        values |= {"comparison": comparison, "owner": owner}
        next_number = select(func.coalesce(func.max(_shown_number), 0) + 1).where(jobs.c.lane == str(lane))
        new = insert(jobs).values(id=job_id, state=State.QUEUED, created=clock(), **values)
        with self._engine.begin() as connection:
            alone(connection, jobs)  # else two would get the same number
            connection.execute(new.values(number_in_lane=next_number.scalar_subquery()))
        return self.require(job_id)

    def get(self, job_id: str) -> Job | None:
        """Return a job, or None if there is none of this name."""
        with self._engine.connect() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none()
        return _to_job(row) if row is not None else None

    def require(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            UsageError: there is none of this name.
        """
        job = self.get(job_id)
        if job is None:
            raise UsageError(f"job: there is none with the id {job_id!r} in this database")
        return job

    def latest(
        self,
        lane: str = Lane.RUNS,
        limit: int = 50,
        *,
        kind: str | None = None,
        comparison: str | None = None,
        include_deleted: bool = False,
        begun: bool = False,
    ) -> list[Job]:
        """Return a lane's newest jobs, or those of a kind or comparison; `begun`: none cancelled before it began."""
        wanted = [jobs.c.lane == lane, self.listed()]
        wanted += [] if kind is None else [jobs.c.kind == kind]
        wanted += [] if comparison is None else [jobs.c.comparison == comparison]
        wanted += [] if include_deleted else [jobs.c.deleted.is_(None)]
        wanted += [or_(jobs.c.state != State.CANCELLED, jobs.c.started.is_not(None))] if begun else []
        query = select(jobs).where(*wanted).order_by(jobs.c.number.desc()).limit(limit)
        with self._engine.connect() as connection:
            return [_to_job(row) for row in connection.execute(query)]

    def waiting(self, lane: str) -> list[str]:
        """Return the names of the jobs of a lane that wait, in order."""
        query = select(jobs.c.id).where(jobs.c.lane == lane, jobs.c.state == State.QUEUED).order_by(jobs.c.number)
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def comparisons(self, limit: int = 20) -> list[str]:
        """Return the names of the comparisons that still have jobs, the newest first."""
        named = and_(jobs.c.comparison != "", jobs.c.deleted.is_(None), self.listed())
        newest = func.max(jobs.c.number).desc()
        query = select(jobs.c.comparison).where(named).group_by(jobs.c.comparison).order_by(newest).limit(limit)
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def recall(self, kind: str, config: Mapping[str, Any]) -> Job | None:
        """Return the newest job of a kind with exactly this config, unless it was deleted."""
        return self._newest(kind, config, true())

    def _newest(self, kind: str, config: Mapping[str, Any], condition: ColumnElement[bool]) -> Job | None:
        """Return the newest job of a kind with this config that fulfils a condition, unless it was deleted."""
        asked = and_(jobs.c.kind == kind, jobs.c.config == to_text(dict(config)))
        same = and_(asked, jobs.c.deleted.is_(None), condition)
        with self._engine.connect() as connection:
            row = connection.execute(select(jobs).where(same).order_by(jobs.c.number.desc()).limit(1)).one_or_none()
        return _to_job(row) if row is not None else None

    def ahead(self, job: Job) -> list[Job]:
        """Return the jobs of the same lane that run or wait before this one, in order."""
        line = self.line(job.lane)
        places = [place for place, other in enumerate(line) if other.id == job.id]
        return line[: places[0]] if places else []

    def line(self, lane: str) -> list[Job]:
        """Return the jobs of a lane that run, and then those that wait, in the order in which their turn comes."""
        active = and_(jobs.c.lane == lane, jobs.c.state.in_([State.QUEUED, State.RUNNING]))
        with self._engine.connect() as connection:
            rows = [_to_job(row) for row in connection.execute(select(jobs).where(active).order_by(jobs.c.number))]
            last = last_served(connection, lane)
        running = [other for other in rows if other.state == State.RUNNING]
        return [*running, *in_turn([other for other in rows if other.state == State.QUEUED], running, last)]

    def events(self, job_id: str, after: int = 0, kind: str = "") -> list[Event]:
        """Return what happened during a job, oldest first, later than event number `after`; of one kind where told."""
        query = select(events).where(events.c.job == job_id, events.c.sequence > after).order_by(events.c.sequence)
        query = query.where(events.c.kind == kind) if kind else query
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [Event(row.sequence, row.kind, row.at, json.loads(row.body)) for row in rows]

    def cancel(self, job_id: str) -> None:
        """End a waiting job now, and a running one at its next report."""
        self.check_own(job_id)
        ended = {"state": State.CANCELLED, "finished": clock()}
        if not self._change(job_id, jobs.c.state == State.QUEUED, **ended):
            self._change(job_id, jobs.c.state == State.RUNNING, command=Command.CANCEL)

    def pause(self, job_id: str) -> None:
        """Make a running job wait at its next report."""
        self.check_own(job_id)
        self._change(job_id, _running_with(Command.NONE, Command.STEP), command=Command.PAUSE)

    def unpause(self, job_id: str) -> None:
        """Let a paused job go on."""
        self.check_own(job_id)
        self._change(job_id, _running_with(Command.PAUSE, Command.STEP), command=Command.NONE)

    def step(self, job_id: str) -> None:
        """Let a paused or running job go on to the end of an epoch, where it waits."""
        self.check_own(job_id)
        self._change(job_id, _running_with(Command.NONE, Command.PAUSE), command=Command.STEP)

    def rename(self, job_id: str, title: str) -> None:
        """Give a job a title of one line, at most `TITLE_LENGTH` characters; an empty one takes the title away."""
        self.check_own(job_id)
        self._change(job_id, true(), title=" ".join(title.split())[:TITLE_LENGTH])

    def annotate(self, job_id: str, note: str) -> None:
        """Write a note beside a job."""
        self.check_own(job_id)
        self._change(job_id, true(), note=note.strip())

    def delete(self, job_id: str) -> None:
        """Take a job out of every list, and stop it if it is under way; `restore` undoes that until `purge`."""
        self.cancel(job_id)
        self._change(job_id, jobs.c.deleted.is_(None), deleted=clock())

    def pin(self, job_id: str, *, pinned: bool) -> None:
        """Keep a job out of every clean-up, or no longer."""
        self.check_own(job_id)
        self._change(job_id, true(), pinned=clock() if pinned else None)

    def restore(self, job_id: str) -> bool:
        """Bring a deleted job back; tell whether that was possible."""
        self.check_own(job_id)
        return self._change(job_id, jobs.c.deleted.is_not(None), deleted=None)

    def resume(self, job_id: str) -> bool:
        """Queue a job that ended early again, under its own name; tell whether that was possible.

        Its events, and what short tasks have answered about it, are of the attempt that ended: both are forgotten.
        """
        self.check_own(job_id)
        fresh = {"state": State.QUEUED, "command": Command.NONE, "worker": "", "started": None, "finished": None}
        cleared = {"progress": "{}", "error": "", "details": ""}
        with self._engine.begin() as connection:
            ended_early = and_(jobs.c.id == job_id, jobs.c.state.in_(RESUMABLE))
            if not connection.execute(update(jobs).where(ended_early).values(**fresh, **cleared)).rowcount:
                return False
            connection.execute(delete(events).where(events.c.job == job_id))
            about_it = jobs.c.config.contains(f'"run": "{job_id}"', autoescape=True)
            connection.execute(update(jobs).where(about_it).values(deleted=clock()))
        return True

    def replace_answer(self, job_id: str, answer: object, asked: str) -> bool:
        """Put a later grading in place of what a finished run answered; tell whether there is such a run.

        What short tasks have answered about it is forgotten, but for the task `asked`, which graded it.
        """
        self.check_own(job_id)
        changed = self._change(job_id, jobs.c.state == State.DONE, answer=to_text(answer))
        about_it = and_(jobs.c.config.contains(f'"run": "{job_id}"', autoescape=True), jobs.c.id != asked)
        with self._engine.begin() as connection:
            connection.execute(update(jobs).where(about_it).values(deleted=clock()))
        return changed

    # Those who work

    def claim(self, lane: str, worker: str, device: str, *, only: str = "") -> Job | None:
        """Make the next waiting job of a lane, or the one named `only`, this worker's own; None where none waits.

        Visitors come in turn (:mod:`zspag_core.jobs.turns`), the jobs of one in the order in which they were asked for.
        The worker must have left a beat before.
        """
        waits = _takeable(lane, device)
        if only:
            waits = and_(waits, jobs.c.id == only)
        with self._engine.connect() as connection:
            number = next_in_turn(connection, lane, waits)  # without the write lock: most polls find nothing
        if number is None:
            return None
        taken = update(jobs).where(jobs.c.number == number, waits)
        started = taken.values(state=State.RUNNING, worker=worker, started=clock())
        with self._engine.begin() as connection:
            row = connection.execute(started.returning(*jobs.c)).one_or_none()
        return _to_job(row) if row is not None else None

    def next(self, lane: str, device: str) -> Job | None:
        """Return the job that a worker of a device would claim next; None where none waits."""
        with self._engine.connect() as connection:
            number = next_in_turn(connection, lane, _takeable(lane, device))
            if number is None:
                return None
            row = connection.execute(select(jobs).where(jobs.c.number == number)).one_or_none()
        return None if row is None else _to_job(row)

    def advance(self, job: Job, progress: Mapping[str, Any]) -> Command | None:
        """Write down how far a job is; return what a person wants of it, None if it is no longer this worker's."""
        mine = update(jobs).where(jobs.c.id == job.id, _owned(job)).values(progress=to_text(dict(progress)))
        with self._engine.begin() as connection:
            command = connection.execute(mine.returning(jobs.c.command)).scalar_one_or_none()
        return None if command is None else Command(command)

    def record(self, job: Job, kind: str, body: Mapping[str, Any]) -> None:
        """Add an event to a job."""
        with self._engine.begin() as connection:
            connection.execute(insert(events).values(job=job.id, kind=kind, at=clock(), body=to_text(dict(body))))

    def finish(self, job: Job, state: State, *, answer: object = None, error: str = "", details: str = "") -> bool:
        """End a job; False, and nothing changes, if it is no longer this worker's."""
        ended = {"state": state, "finished": clock(), "command": Command.NONE}
        said = {"answer": to_text(answer), "error": error, "details": details}
        return self._change(job.id, _owned(job), **ended, **said)

    def step_ends(self, job: Job) -> bool:
        """Turn the command for one more epoch into a pause; tell whether there was one."""
        return self._change(job.id, and_(_owned(job), jobs.c.command == Command.STEP), command=Command.PAUSE)

    # Those who watch

    def waiting_devices(self, lane: str) -> set[str]:
        """Return the devices that the waiting jobs of a lane ask for."""
        query = select(jobs.c.device).where(jobs.c.lane == lane, jobs.c.state == State.QUEUED).distinct()
        with self._engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def active(self, *lanes: str) -> int:
        """Return how many jobs of some lanes wait or run."""
        query = select(func.count()).where(jobs.c.lane.in_(lanes), jobs.c.state.in_([State.QUEUED, State.RUNNING]))
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def reap(self) -> int:
        """Mark the running jobs of workers that are gone as interrupted; return how many.

        Call it every few seconds. One who was not looking (just started, or the machine slept) judges nobody until two
        beats later, when the living have been heard.
        """
        now = self.now()
        if not 0 <= now - self._watched_last <= STALE_SECONDS:  # asleep, or the clock was put back
            self._watched_since = now
        self._watched_last = now
        if now - self._watched_since < 2 * BEAT_SECONDS:
            return 0
        return self.interrupt_orphans()

    def interrupt_orphans(self) -> int:
        """Mark the running jobs whose worker has left no beat lately as interrupted, at once; return how many."""
        living = select(beats.c.name).where(beats.c.role == WORKER, lately(STALE_SECONDS))
        orphaned = and_(jobs.c.state == State.RUNNING, jobs.c.worker.not_in(living))
        sentence = "The process that computed this run ended before the run did."
        ended = {"state": State.INTERRUPTED, "finished": clock(), "error": sentence}
        with self._engine.begin() as connection:
            return connection.execute(update(jobs).where(orphaned).values(**ended)).rowcount

    def purge(self, after_seconds: float = KEPT_SECONDS) -> int:
        """Remove for good, with folders and events, the jobs deleted longer ago than that; return how many."""
        old = and_(jobs.c.deleted < clock() - after_seconds, jobs.c.state.not_in(ACTIVE))
        with self._engine.connect() as connection:
            found = list(connection.execute(select(jobs.c.id).where(old)).scalars())
        for job_id in found:
            self._remove(job_id)
        return len(found)

    def clear_away(self, job_id: str) -> bool:
        """Remove a job for good that has ended and that nobody pinned; tell whether it was one."""
        of_no_use = and_(jobs.c.pinned.is_(None), jobs.c.state.not_in(ACTIVE), jobs.c.deleted.is_(None))
        if not self._change(job_id, of_no_use, deleted=clock()):
            return False
        self._remove(job_id)
        return True

    def _remove(self, job_id: str) -> None:
        """Remove a deleted job with its folders and events."""
        for folder in (run_folder(job_id), state_folder(job_id)):
            shutil.rmtree(folder, ignore_errors=True)
        with self._engine.begin() as connection:
            connection.execute(delete(events).where(events.c.job == job_id))
            connection.execute(delete(jobs).where(jobs.c.id == job_id, jobs.c.deleted.is_not(None)))

    def now(self) -> float:
        """Return the database's time."""
        with self._engine.connect() as connection:
            return float(connection.execute(select(clock())).scalar_one())

    def _change(self, job_id: str, condition: ColumnElement[bool], **values: object) -> bool:
        """Update one job if a condition holds; tell whether it did."""
        with self._engine.begin() as connection:
            changed = connection.execute(update(jobs).where(jobs.c.id == job_id, condition).values(**values)).rowcount
        return bool(changed)


def _running_with(*commands: Command) -> ColumnElement[bool]:
    """Return the condition that a job runs and that one of these is what it was told."""
    return and_(jobs.c.state == State.RUNNING, jobs.c.command.in_(commands))


def _owned(job: Job) -> ColumnElement[bool]:
    """Return the condition that a job still runs in the worker that claimed it."""
    return and_(jobs.c.state == State.RUNNING, jobs.c.worker == job.worker)


@cache  # built once, for a worker asks twenty times a second: half of the work of an idle one was to build it
def _takeable(lane: str, device: str) -> ColumnElement[bool]:
    """Return the condition that a worker may take a job."""
    devices = sorted(served_devices(device))
    return and_(jobs.c.lane == lane, jobs.c.state == State.QUEUED, jobs.c.device.in_(devices))


def _to_job(row: Row[Any]) -> Job:
    """Turn a row into a record."""
    values = {column.key: row._mapping[column] for column in jobs.c}
    values["number"] = values.pop("number_in_lane") or values["number"]
    values |= {name: json.loads(values[name]) for name in ("config", "progress", "answer")}
    return Job(
        **values | {"state": State(row.state), "command": Command(values["command"]), "folder": run_folder(row.id)}
    )
