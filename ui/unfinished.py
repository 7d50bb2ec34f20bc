"""What the Results page says of a run that has no result (yet)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.jobs import POLL_SECONDS, job_store, show_run
from ui.picker import LETTERS
from ui.words import STAGES, STATES
from zspag_core.jobs import State

if TYPE_CHECKING:
    from zspag_core.jobs import Job

FORGET_PAGE = "pages/2_Forget.py"


def empty_panel() -> None:
    """Say what this page shows, why it is empty, and what fills it."""
    with st.container(border=True):
        st.markdown("#### No run to read yet")
        st.markdown(
            "Here you will see what a run did: which classes are gone, what it cost the others, whether the model "
            "forgot inside too, and what an attacker could still find out. Pick a run above, or make one."
        )
        if st.button("Forget a class", type="primary", icon=":material/ink_eraser:", key="begin"):
            st.switch_page(FORGET_PAGE)


def unfinished_panel(letter: str, job: Job) -> None:
    """Say where a run without a result stands, with the button that helps; draw the page again when it ends."""

    @st.fragment(run_every=POLL_SECONDS if job.active else None)
    def panel() -> None:
        now = job_store().get(job.id) or job
        if job.active and not now.active:
            st.rerun()
        colour, icon, word = STATES[now.state]
        with st.container(border=True):
            st.markdown(f"{LETTERS[letter]} **Run {now.number}** :{colour}-badge[{icon} {word}]")
            st.markdown(_sentence(now))
            if now.details:
                with st.expander("Details to copy into a report"):
                    st.code(now.details, language=None)

    panel()
    if st.button("Watch it run" if job.active else "Open it", key=f"watch-{letter}", icon=":material/visibility:"):
        show_run(job.id)
        st.switch_page(FORGET_PAGE)


def _sentence(job: Job) -> str:
    """Say in a sentence why there is no result."""
    if job.kind != "unlearn":
        return "This is a training, not an unlearning run: it has no result of this kind. Look at it on the Model page."
    if job.state == State.QUEUED:
        return "It waits for its turn. Its results appear here by themselves when it is done."
    if job.state == State.RUNNING:
        stage = STAGES.get(str(job.progress.get("stage", "load")), "Working")
        count = f", {job.progress['done']} of {job.progress['total']}" if job.progress.get("total") else ""
        return f"It is under way: {stage}{count}. Its results appear here by themselves when it is done."
    if job.state == State.CANCELLED:
        return "It was cancelled before the first epoch had ended, so there is nothing to grade. Run it again."
    return f"It came to no result: {job.error or 'the reason is not known'}. Open it to run it again."
