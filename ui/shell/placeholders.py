"""What a page shows of a run in place of its content, while there is no result or a short task is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.shell.ended_card import ended_card
from ui.shell.follow import follow, progress_line
from ui.shell.formatting import headline
from ui.shell.jobs import job_store
from zspag_core.jobs import State

if TYPE_CHECKING:
    from zspag_core.jobs import Job

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
                f"#### {nothing_open()}\n{shows} appears here after a run. It takes 20 to 40 seconds on digits."
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

    def line(now: Job) -> None:
        st.markdown(f"#### Run {now.number} is under way\n{shows} appears here by itself when it is done.")
        progress_line(now, f"{key}-cancel")

    follow(job, line)


def _ended(job: Job, shows: str, key: str) -> None:
    """Say why a run has nothing to show."""
    if job.state == State.DONE:
        missing = "was not graded" if headline(job) is None else "has lost its files"
        st.markdown(f"#### Run {job.number} {missing}\n{shows} needs a run that is there from begin to end.")
        return
    st.markdown(
        f"#### Run {job.number} was {job.state}" if job.state != State.FAILED else f"#### Run {job.number} failed"
    )
    ended_card(job, WAYS[job.state], f"{key}-again")
