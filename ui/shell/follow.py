"""Parts of a page that follow a job: drawn again by themselves until it has ended, then the page with them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlit as st

from ui.shell.formatting import duration
from ui.shell.jobs import POLL_SECONDS, WAIT_SECONDS, job_store, may_change, queue_words, worker_ready
from ui.shell.streamlit_fragments import redrawn
from ui.shell.words import STAGES
from zspag_core.jobs import Command, Lane, State
from zspag_core.jobs.records import SPARE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zspag_core.jobs import Job


SOON_SECONDS = 1.5
"""So long after a click nobody wonders why a run has not begun."""
CANCEL_SECONDS, LOOK_SECONDS = 0.6, 0.05
"""A worker says within 0.4 s that a job is cancelled: so long a page waits for that, in place of its next turn."""


def follow(job: Job, draw: Callable[[Job], None], every: float = POLL_SECONDS) -> None:
    """Draw what is said of a job as it is now, again by itself while it is active; at its end draw the page anew.

    Args:
        job: as the page knows it; one that is over is drawn once.
        draw: takes the job as it is.
        every: seconds between two looks.
    """

    @redrawn(every if job.active else None)
    def part() -> None:
        now = job_store().get(job.id)
        if now is not None and now.active and now.command == Command.CANCEL:
            now = _soon_ended(now)
        if job.active and (now is None or not now.active):
            st.rerun()
        draw(now or job)

    part()


def _soon_ended(job: Job) -> Job | None:
    """Return a job that is being cancelled once it has ended, or as it is after a moment."""
    now: Job | None = job
    until = time.monotonic() + CANCEL_SECONDS
    while now is not None and now.active and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        now = job_store().get(job.id)
    return now


def follow_all(look: Callable[[], Sequence[Job]], draw: Callable[[Sequence[Job]], object] | None = None) -> None:
    """Look at several jobs, again by itself while any is active; draw the page anew when one changes its state.

    Args:
        look: returns the jobs as they are.
        draw: what is said of them while any is active.
    """
    first = look()
    live, states = any(job.active for job in first), [(job.id, job.state) for job in first]

    @redrawn(POLL_SECONDS if live else None)
    def part() -> None:
        jobs = look()
        if [(job.id, job.state) for job in jobs] != states:
            st.rerun()
        if live and draw is not None:
            draw(jobs)

    part()


@redrawn(WAIT_SECONDS)
def wait_for(*questions: Job) -> None:
    """Draw the page again once a short task has its answer."""
    if any(not (job_store().get(question.id) or question).active for question in questions):
        st.rerun()


def wait_line(question: Job, doing: str, usual_seconds: float) -> None:
    """Say how long a short task has been at work, and how long it usually takes.

    Args:
        question: the task's job.
        doing: what it does, "Drawing the UMAP".
        usual_seconds: how long that takes on digits and two cores.
    """

    def line(now: Job) -> None:
        spent = time.time() - now.created
        stage = "" if worker_ready(question.lane) else " The worker is starting, about five seconds."
        text = f"{doing}: {duration(spent)} of about {duration(usual_seconds)}.{stage}"
        st.progress(min(0.95, spent / usual_seconds), text)

    follow(question, line, WAIT_SECONDS)


def task_line(task: Job | None, doing: str, kind: str, letter: str) -> bool:
    """Say how far a task is that was asked for later, or that it failed; tell whether it is under way.

    Args:
        task: None where nobody has asked.
        doing: what it does, "Grading the run".
        kind: start of the widgets' keys.
        letter: of the run, their end.
    """
    if task is not None and task.active:
        follow(task, lambda now: progress_line(now, f"{kind}-cancel-{letter}", f"{doing}. "))
        return True
    if task is not None and task.state in {State.FAILED, State.INTERRUPTED}:
        failed_line(task, doing, f"{kind}-again-{letter}")
    return False


def queue_line(job: Job) -> None:
    """Say of a waiting job who is ahead, that the worker is on its way, or that it ends a step nobody asked for."""
    if waits := queue_words(job):
        st.info(waits, icon=":material/schedule:")
    elif not worker_ready(Lane.RUNS):
        st.info("The worker is starting: about five seconds.", icon=":material/hourglass_top:")
    elif time.time() - job.created > SOON_SECONDS and job_store().active(SPARE):
        st.info("The worker ends a step of what it was preparing; then this begins.", icon=":material/hourglass_top:")


def progress_line(job: Job, key: str, lead: str = "") -> None:
    """Draw how far a job is, and the button that cancels it."""
    text, share = progress_of(job)
    st.progress(share, f"{lead}{text}")
    stop = job.command == Command.CANCEL
    if not may_change(job):
        return
    st.button("Cancel", key=key, on_click=job_store().cancel, args=(job.id,), disabled=stop)


def progress_of(job: Job) -> tuple[str, float]:
    """Return how far a run is: in words, and the share of its stage in [0, 1]."""
    if job.state == State.QUEUED:
        ready = "Waiting for the worker" if worker_ready(Lane.RUNS) else "The worker is starting: about five seconds"
        return queue_words(job) or ready, 0.0
    stage = str(job.progress.get("stage", "load"))
    done, total = int(job.progress.get("done", 0)), max(1, int(job.progress.get("total", 1)))
    return f"{STAGES.get(stage, stage.capitalize())}: {done:,} of {total:,}", min(1.0, done / total)


def failed_line(question: Job, doing: str, key: str) -> None:
    """Say that a short task failed, and offer to try again."""
    st.warning(f"{doing} did not work out: {question.error or 'it was stopped'}", icon=":material/error:")
    if may_change(question):
        st.button("Try again", key=key, on_click=job_store().resume, args=(question.id,))
