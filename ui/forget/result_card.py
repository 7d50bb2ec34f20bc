"""How a run ended: headline figures and the way on, or a card that says what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.forget.form import take_run
from ui.shell.ended_card import ended_card
from ui.shell.formatting import glue, percent, result_table
from ui.shell.headline_cards import draw_cards, estimate_panel, measure_card
from ui.shell.jobs import leave_run, may_change
from ui.shell.ungraded import estimate_table, is_ungraded, missing_for
from ui.shell.words import ESTIMATE_NOTE, GRADING_NOTE, MASK_NOTE
from zspag_core.diagnosis import shortfall
from zspag_core.jobs import State
from zspag_core.metrics.catalogue import ACC_RT, ACC_UT, PROBE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.jobs import Job

REMEDIES = {
    State.FAILED: "Change the setting that the sentence names and press Forget again, or run the same once more.",
    State.INTERRUPTED: "Resume: what it had finished is kept, and it goes on from there.",
    State.CANCELLED: "It was stopped on request. Resume goes on from what it had finished; to begin anew, take its "
    "settings, change what you like, and press Forget.",
}
NOT_BEGUN = "It was stopped before it began. Resume puts it into the queue again, as the same run."
STILL_COUNTED = "These figures are final. Files, map and, where it is measured, relearning are still being made."
NO_PROXIES = "no proxies"
LESSON = (
    "This is what too small a perturbation budget ε does: no image crosses into another class, nothing stands in for "
    "the classes that must stay, and the run stops rather than break them unseen. Raise ε until the preview shows a "
    "high attack success rate, then press Forget again."
)
"""What to do about a run that found no proxies; its error begins with `NO_PROXIES`."""
WAYS_ON = (
    ("pages/3_Proxies.py", "Proxies on a map", ":material/scatter_plot:"),
    ("pages/4_Attention.py", "Where it looks", ":material/visibility:"),
    ("pages/5_Results.py", "Every figure, downloads", ":material/monitoring:"),
)


def show_result(job: Job) -> None:
    """Draw the headline numbers, the way on, and the before/after table folded."""
    result: Mapping[str, Any] = job.answer
    _headlines(result)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for path, label, icon in WAYS_ON:
            st.page_link(path, label=label, icon=icon)
    with st.container(horizontal=True, gap="small"):
        _go_on(job)
    _table(result)


def show_early(result: Mapping[str, Any]) -> None:
    """Draw the headline numbers and the table of a run whose last part is under way; the same stand there at its end.

    Args:
        result: result.json as far as it is known.
    """
    _headlines(result)
    st.caption(STILL_COUNTED, width="stretch")
    _table(result)


def _headlines(result: Mapping[str, Any]) -> None:
    """Draw the headline numbers, and why the run fell short where it did."""
    if is_ungraded(result):
        estimate_panel(result)
    else:
        _graded_cards(result)
    if short := shortfall(result):
        st.warning(short, icon=":material/warning:")


def _table(result: Mapping[str, Any]) -> None:
    """Draw the before/after table, folded."""
    with st.expander("Before and after", icon=":material/table:"):
        if table := result_table(result):
            st.markdown(table)
            st.caption(MASK_NOTE)
            st.caption(GRADING_NOTE)
        if estimates := estimate_table(result):
            st.markdown(glue(estimates))
            st.caption(ESTIMATE_NOTE)


def _graded_cards(result: Mapping[str, Any]) -> None:
    """Draw the headline figures of a run that is graded."""
    before, after, mask = result["before"], result["after"], result.get("mask") or {}
    notes = {
        ACC_RT: f"Higher is better; mask: {percent(mask.get('acc_rt'))}.",
        ACC_UT: "Lower is better; the goal is 0 %.",
        PROBE: "Deep forgetting: lower is deeper.",
    }
    found = [measure_card(one, before, after, missing_for(result, one) or note) for one, note in notes.items()]
    draw_cards(found, len(found))


def show_ending(job: Job) -> None:
    """Draw a card for a run that ended early: what happened, what to change, details to copy."""
    with st.container(border=True):
        remedy = LESSON if job.error.startswith(NO_PROXIES) else REMEDIES[job.state]
        if job.state == State.CANCELLED and job.started is None:
            remedy = NOT_BEGUN
        ended_card(job, remedy, "again", lambda: _go_on(job))


def _go_on(job: Job) -> None:
    """Draw what a next run can begin with: the settings of this one, or none."""
    if not may_change(job):
        st.button("Leave this run", key="leave", on_click=leave_run)
        return
    words = "Fills the form on the left with what this run was made with, to change one thing."
    st.button(
        "Take its settings", key="take", icon=":material/tune:", help=words, on_click=take_run, args=(job.config,)
    )
    st.button("Start over", key="leave", on_click=leave_run)
