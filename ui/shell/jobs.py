"""The dashboard's side of the job store: one store and one keeper per server, the run that a visitor looks at."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.shell.url_params import UrlWord
from ui.shell.visitor import classroom, present_visitor
from zspag_core.errors import ForbiddenError, LimitError
from zspag_core.files import stamp
from zspag_core.jobs import Command, Job, JobStore, Lane, State
from zspag_core.jobs.heartbeats import WORKER
from zspag_core.jobs.records import lane_of
from zspag_core.jobs.supervisor import Supervisor
from zspag_core.shipped import ENGINE
from zspag_core.visitors.classroom import is_shared
from zspag_core.visitors.cleaning import Cleaning
from zspag_core.visitors.own_store import VisitorStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

POLL_SECONDS = 1.0
WAIT_SECONDS = 0.5
RETRY_SECONDS = 60.0
TASKS_KEPT = 50
RUN, SECOND = UrlWord("job", "job_id"), UrlWord("b", "second_id")


@st.cache_resource(show_spinner=False)
def shared_store() -> JobStore:
    """Return the store of everybody's jobs, for what is nobody's own business."""
    return JobStore()


def job_store() -> JobStore:
    """Return the store as this visitor may use it: all of it, or, where the dashboard is shared, what is theirs."""
    if not is_shared():
        return shared_store()
    return VisitorStore(shared_store(), present_visitor(), classroom().limits)


def own_store() -> VisitorStore | None:
    """Return this visitor's store where the dashboard is shared, None where one person has it alone."""
    store = job_store()
    return store if isinstance(store, VisitorStore) else None


def may_use(path: str | Path) -> bool:
    """Tell whether this visitor may work with a model or data: in a shared dashboard not with another visitor's."""
    own = own_store()
    return own is None or own.may_use(Path(path))


@contextmanager
def saying_refusals() -> Iterator[None]:
    """Say in its place why something is refused, and let the page go on."""
    try:
        yield
    except (ForbiddenError, LimitError) as error:
        st.error(str(error), icon=":material/block:")


def may_change(job: Job) -> bool:
    """Tell whether this visitor may do more than look at a job: in a shared dashboard only at their own."""
    return job_store().is_own(job)


@st.cache_resource(show_spinner=False)
def worker_keeper() -> Supervisor:
    """Return what keeps workers alive; ZSPAG_START_WORKER=0 leaves that to someone else."""
    cleaning = Cleaning(shared_store(), classroom().limits.budget_gb) if is_shared() else None
    keeper = Supervisor(shared_store(), chore=cleaning.look if cleaning is not None else None)
    if os.environ.get("ZSPAG_START_WORKER", "1") != "0":
        keeper.start()
    return keeper


def queue_words(job: Job) -> str:
    """Say who is ahead of a waiting job, and whether it starts by itself; empty where nobody is."""
    ahead = job_store().ahead(job)
    if not ahead:
        return ""
    first = ahead[0]
    where = f"Position {len(ahead)} in the queue, behind run {first.number}"
    if first.command == Command.PAUSE:
        return f"{where}, which is paused: nothing goes on until somebody continues or cancels it."
    return f"{where}, which is {first.state}. This one starts by itself."


def worker_ready(lane: str) -> bool:
    """Tell whether a living worker serves a lane."""
    return any(lane in worker.lanes for worker in job_store().heartbeats.alive(WORKER))


def current_run() -> Job | None:
    """Return the run that this visitor looks at, named by the address (for reload) or the session (for page switch)."""
    job_id = RUN.read()
    job = job_store().get(job_id) if job_id else None
    if job is not None:
        show_run(job.id)
    return job


def show_run(job_id: str) -> None:
    """Make a run the one that this visitor looks at."""
    RUN.write(job_id)


def leave_run() -> None:
    """Look at no run, and compare with none."""
    RUN.clear()
    leave_second()


def second_run() -> Job | None:
    """Return run B, which the visitor compares run A with; named as run A is, by address or session."""
    job_id = SECOND.read()
    job = None if not job_id or job_id == st.session_state.get(RUN.key) else job_store().get(job_id)
    if job is None:
        leave_second()
    else:
        show_second(job.id)
    return job


def show_second(job_id: str) -> None:
    """Make a run the one that run A is compared with."""
    SECOND.write(job_id)


def leave_second() -> None:
    """Compare with no run."""
    SECOND.clear()


def leave_first() -> None:
    """Leave run A; the run that it was compared with, if any, takes its place."""
    second = second_run()
    leave_run()
    if second is not None:
        show_run(second.id)


def swap_runs() -> None:
    """Let run A and run B change places."""
    first, second = current_run(), second_run()
    if first is not None and second is not None:
        show_run(second.id)
        show_second(first.id)


def pair() -> list[tuple[str, Job]]:
    """Return the runs that a page shows, each with its letter: none, run A, or run A and run B."""
    first = current_run()
    second = second_run() if first is not None else None
    return [(letter, job) for letter, job in (("A", first), ("B", second)) if job is not None]


def tasks_about(run: Job, kind: str) -> list[Job]:
    """Return the tasks of a kind that its owner asked for a finished run, the newest first."""
    tasks = shared_store().latest(Lane.RUNS, TASKS_KEPT, kind=kind)
    return [task for task in tasks if task.config["run"] == run.id and task.owner == run.owner]


def answers_about(runs: Sequence[Job], kind: str) -> dict[str, Any]:
    """Return by a run's id the newest answer of a kind of task that its owner asked for it, where there is one."""
    asked = {(run.id, run.owner) for run in runs}
    tasks = shared_store().latest(Lane.RUNS, max(TASKS_KEPT, len(runs)), kind=kind)
    done = [task for task in reversed(tasks) if task.state == State.DONE]
    return {task.config["run"]: task.answer for task in done if (task.config["run"], task.owner) in asked}


def ask(kind: str, config: Mapping[str, Any], device: str = "auto") -> Job:
    """Return a short task's job: an earlier one with the same config unless it was stopped or failed long ago."""
    job = job_store().recall(kind, config)
    failed_long_ago = job is not None and job.state == State.FAILED and time.time() - job.created > RETRY_SECONDS
    if job is None or failed_long_ago or job.state in {State.CANCELLED, State.INTERRUPTED}:
        return job_store().submit(kind, config, lane=lane_of(kind, config), device=device)
    return job


def ask_alone(kind: str, config: Mapping[str, Any], device: str = "auto") -> Job:
    """Ask, and drop what this visitor asked of this kind before and has no answer to: questions never pile up."""
    job, key = ask(kind, config, device), f"asked-{kind}"
    earlier = st.session_state.get(key)
    before = job_store().get(earlier) if earlier not in {None, job.id} else None
    if before is not None and may_change(before):  # another visitor may have asked the same, and waits for it
        job_store().cancel(before.id)
    st.session_state[key] = job.id
    return job


@st.cache_data(show_spinner=False, ttl=30)
def engine_stamp() -> str:
    """Return a text that changes with the engine's source files: what the engine said about itself holds as long."""
    facts = [(str(path), path.stat().st_mtime_ns) for path in sorted(ENGINE.rglob("*.py"))]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


@st.cache_data(show_spinner=False, ttl=30)
def made_of(checkpoint: Path, data: str) -> list[str | None]:
    """Return a text each for the engine, a model's file and data as they are now: of others a run would be another."""
    return [engine_stamp(), stamp(checkpoint), stamp(Path(data))]


def checkpoint_question(path: Path) -> dict[str, Any]:
    """Return the config of the task that describes a checkpoint; it changes when the file does."""
    facts = path.stat()
    return {"checkpoint": str(path), "size": facts.st_size, "modified": facts.st_mtime_ns}


def engine_question() -> dict[str, Any]:
    """Return the config of the task that describes methods and devices."""
    return {"engine": engine_stamp()}
