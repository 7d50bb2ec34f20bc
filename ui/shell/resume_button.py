"""The button that takes up a run which ended early."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.shell.jobs import job_store
from zspag_core.jobs import State

if TYPE_CHECKING:
    from zspag_core.jobs import Job


def again_button(job: Job, key: str) -> None:
    """Draw it: what was stopped goes on from what it had finished, what failed is tried once more."""
    failed = job.state == State.FAILED
    st.button(
        "Run again" if failed else "Resume",
        key=key,
        icon=":material/replay:" if failed else ":material/resume:",
        help=None if failed else "Finished stages and epochs are kept; it goes on from there, as the same run.",
        on_click=_resume,
        args=(job.id,),
    )


def _resume(job_id: str) -> None:
    """Queue the run once more."""
    job_store().resume(job_id)
