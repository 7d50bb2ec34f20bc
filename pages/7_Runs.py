from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.runs.card import deleted_runs, run_card, undo_bar
from ui.runs.figure import describe_runs, runs_figure
from ui.runs.table import RunRow, pick_filters, row_of, runs_table, summary
from ui.shell.charts import picking_chart
from ui.shell.follow import follow_all
from ui.shell.frame import frame
from ui.shell.jobs import job_store, pair, show_run, show_second
from zspag_core.jobs import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.jobs import Job

LISTED = 1000
CARDS = 2


def scatter(rows: Sequence[RunRow], letters: Mapping[str, str]) -> list[str]:
    """Draw all runs as points and return the ids of those clicked or drawn around."""
    st.markdown("**What was kept, what was forgotten** :gray-badge[for grading only]")
    if rows and all(row.estimate for row in rows):
        st.caption(
            "None of these runs is graded: their data has too few images for that, so there is no point to draw."
        )
        return []
    if not any(row.acc_rt is not None for row in rows):
        st.caption("None of these runs has come to its end with figures, so there is no point to draw.")
        return []
    picked = picking_chart(runs_figure(rows, letters), key="runs-scatter", alt=describe_runs(rows))
    st.caption("Click a point, or draw around some, to see their cards.")
    return [carried[0] for carried in picked]


def cards(ids: Sequence[str], rows: Mapping[str, RunRow], letters: Mapping[str, str]) -> None:
    """Draw the cards of the runs picked, two at most, and the button that compares them."""
    picked = [rows[job_id] for job_id in dict.fromkeys(ids) if job_id in rows][:CARDS]
    if not picked:
        st.info("Tick a run in the table, or click a point: its title, note and link appear here.")
        return
    if len(picked) == CARDS and [letters.get(row.job.id) for row in picked] != ["A", "B"]:
        words = f"Compare run {picked[0].job.number} with run {picked[1].job.number}"
        if st.button(words, type="primary", key="compare", icon=":material/compare_arrows:"):
            show_run(picked[0].job.id)
            show_second(picked[1].job.id)
            st.switch_page("pages/5_Results.py")
    for row in picked:
        run_card(row, letters)


def show_nothing() -> None:
    """Say what will be listed here, and draw the way to the first run."""
    with st.container(border=True):
        st.markdown("#### No run yet\nEvery run is listed here with its configuration and figures, to find it again.")
        if st.button("Forget a class", type="primary", icon=":material/ink_eraser:", key="runs-begin"):
            st.switch_page("pages/2_Forget.py")


def show_runs(there: Sequence[Job]) -> None:
    """Draw filters, table, points and cards."""
    rows = [row_of(job) for job in there]
    filters = pick_filters(rows)
    shown = [row for row in rows if filters.lets(row)]
    letters = {job.id: letter for letter, job in pair()}
    st.caption(summary(rows, shown))
    ticked: list[str] = []
    if shown:
        ticked = runs_table(shown, letters)
    else:
        st.info("No run fits these filters. Take one of them away.", icon=":material/filter_alt_off:")
    left, right = st.columns([3, 2], gap="large")
    with left:
        clicked = scatter(shown, letters)
    with right:
        cards(ticked or clicked or list(letters), {row.job.id: row for row in rows}, letters)


frame("Runs", "Find, name, compare and share runs.")
jobs = job_store().latest(limit=LISTED, kind="unlearn", include_deleted=True)
there, gone = [job for job in jobs if job.deleted is None], [job for job in jobs if job.deleted is not None]
there.sort(key=lambda job: job.state == State.CANCELLED and job.started is None)  # those never begun stand last
undo_bar()
if there:
    show_runs(there)
else:
    show_nothing()
deleted_runs([row_of(job) for job in gone])
store, active = job_store(), [job.id for job in there if job.active]
follow_all(lambda: [job for job_id in active if (job := store.get(job_id)) is not None])
