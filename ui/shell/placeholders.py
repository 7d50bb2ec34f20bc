"""What a page shows of a run in place of its content, while there is no result or a short task is under way."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlit as st

from ui.shell.formatting import duration, headline
from ui.shell.jobs import job_store, queue_words, worker_ready
from ui.shell.resume_button import again_button
from ui.shell.streamlit_fragments import redrawn
from ui.shell.words import STAGES
from zspag_core.jobs import Lane, State

if TYPE_CHECKING:
    from zspag_core.jobs import Job

LIVE_SECONDS = 1.0
WAIT_SECONDS = 0.5
WAYS = {
    State.FAILED: "Change the setting that the sentence names, or run it once more.",
    State.CANCELLED: "It was stopped on request, before it was graded. Resume it to see it here.",
    State.INTERRUPTED: "Its worker went away; what it had finished is kept. Resume: it goes on from there.",
}


def has_result(job: Job | None) -> bool:
    """Tell whether a run came to its end, so that there is something to show."""
    return job is not None and job.state == State.DONE and headline(job) is not None and _has_files(job)


def _has_files(job: Job) -> bool:
    """Tell whether the run folder is still there."""
    return (job.folder / "model.safetensors").exists()


def stand_in(job: Job | None, shows: str, key: str = "A") -> None:
    """Draw one sentence and the button that helps, in place of a page's content.

    Args:
        job: the run, None where no run is chosen.
        shows: what the page will show, as the begin of a sentence: "The map of the proxies".
        key: start of the widgets' keys.
    """
    with st.container(border=True):
        if job is None:
            st.markdown(
                f"#### {nothing_open()}\n{shows} appears here after a run. It takes 15 to 30 seconds on digits."
            )
        elif job.active:
            _under_way(job, shows, key)
        else:
            _ended(job, shows, key)
        words = "Forget a class" if job is None else "Open it on the Forget page"
        if st.button(words, key=f"{key}-to-forget", icon=":material/ink_eraser:", type="primary"):
            st.switch_page("pages/2_Forget.py")


def nothing_open() -> str:
    """Say why no run is shown, as a heading: a link names one that is not here, none is chosen, or none was made."""
    if st.query_params.get("job"):
        return "There is no such run here"
    known = job_store().latest(limit=1, kind="unlearn")
    return "No run is open: choose one at the top right" if known else "No run yet"


def _under_way(job: Job, shows: str, key: str) -> None:
    """Say how far a run is, again every second; draw the page anew once it has ended."""

    @redrawn(LIVE_SECONDS)
    def line() -> None:
        now = job_store().get(job.id) or job
        if not now.active:
            st.rerun()
        st.markdown(f"#### Run {now.number} is under way\n{shows} appears here by itself when it is done.")
        text, share = progress_of(now)
        st.progress(share, text)
        stop = now.command == "cancel"
        st.button("Cancel", key=f"{key}-cancel", on_click=job_store().cancel, args=(job.id,), disabled=stop)

    line()


def progress_of(job: Job) -> tuple[str, float]:
    """Return how far a run is: in words, and the share of its stage in [0, 1]."""
    if job.state == State.QUEUED:
        if waits := queue_words(job):
            return waits, 0.0
        return (
            "Waiting for the worker" if worker_ready(Lane.RUNS) else "The worker is starting: about five seconds"
        ), 0.0
    stage = str(job.progress.get("stage", "load"))
    done, total = int(job.progress.get("done", 0)), max(1, int(job.progress.get("total", 1)))
    return f"{STAGES.get(stage, stage.capitalize())}: {done:,} of {total:,}", min(1.0, done / total)


def _ended(job: Job, shows: str, key: str) -> None:
    """Say why a run has nothing to show."""
    if job.state == State.DONE:
        missing = "was not graded" if headline(job) is None else "has lost its files"
        st.markdown(f"#### Run {job.number} {missing}\n{shows} needs a run that is there from begin to end.")
        return
    st.markdown(
        f"#### Run {job.number} was {job.state}" if job.state != State.FAILED else f"#### Run {job.number} failed"
    )
    if job.error:
        st.markdown(f"**What happened.** {job.error}")
    st.markdown(f"**What to do.** {WAYS[job.state]}")
    again_button(job, f"{key}-again")
    if job.details:
        with st.expander("Details to copy into a report"):
            st.code(job.details, language=None)


def wait_line(question: Job, doing: str, usual_seconds: float) -> None:
    """Say how long a short task has been at work, and how long it usually takes; draw the page anew at its end.

    Args:
        question: the task's job.
        doing: what it does, "Drawing the UMAP".
        usual_seconds: how long that takes on digits and two cores.
    """

    @redrawn(WAIT_SECONDS)
    def line() -> None:
        now = job_store().get(question.id) or question
        if not now.active:
            st.rerun()
        spent = time.time() - now.created
        stage = "" if worker_ready(question.lane) else " The worker is starting, about five seconds."
        text = f"{doing}: {duration(spent)} of about {duration(usual_seconds)}.{stage}"
        st.progress(min(0.95, spent / usual_seconds), text)

    line()


def failed_line(question: Job, doing: str, key: str) -> None:
    """Say that a short task failed, and offer to try again."""
    st.warning(f"{doing} did not work out: {question.error or 'it was stopped'}", icon=":material/error:")
    st.button("Try again", key=key, on_click=job_store().resume, args=(question.id,))
