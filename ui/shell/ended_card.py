"""What is said of a job that ended early, and the button that takes it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.shell.engine_words import said_of
from ui.shell.formatting import escape
from ui.shell.jobs import job_store, may_change
from zspag_core.jobs import State
from zspag_core.jobs.records import UNEXPECTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from zspag_core.jobs import Job

OURS = (
    "No setting explains this: it is a fault of this program, or of the network's own code. Run it once more; if it "
    "fails again, please report it with the details below."
)


def ended_card(job: Job, remedy: str, key: str, others: Callable[[], object] | None = None) -> None:
    """Draw what happened, what to do, the ways on, and the details to copy.

    Args:
        job: one that failed, was cancelled or interrupted.
        remedy: what to do.
        key: of the button that takes it up.
        others: draws further buttons beside it.
    """
    what = "training" if job.kind == "train" else "run"
    reason = escape(said_of(job, job.error))
    st.markdown(f"**What happened.** {reason or f'The {what} was cancelled.'}")
    if may_change(job):
        st.markdown(f"**What to do.** {OURS if job.error.startswith(UNEXPECTED) else remedy}")
    with st.container(horizontal=True):
        resume_button(job, key)
        if others is not None:
            others()
    details(job)


def details(job: Job) -> None:
    """Draw the traceback of a job, folded, where there is one."""
    if job.details:
        with st.expander("Details to copy into a report"):
            st.code(job.details, language=None)


def resume_button(job: Job, key: str) -> None:
    """Draw it: what was stopped goes on from what it had finished, what failed is tried once more.

    There is none for what is somebody else's.
    """
    if not may_change(job):
        return
    failed = job.state == State.FAILED and job.kind != "train"  # a training goes on from its last epoch
    st.button(
        "Run again" if failed else "Resume",
        key=key,
        icon=":material/replay:" if failed else ":material/resume:",
        help=None if failed else "Finished stages and epochs are kept; it goes on from there, as the same run.",
        on_click=job_store().resume,
        args=(job.id,),
    )
