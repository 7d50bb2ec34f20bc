"""The chips with which a visitor picks run A, and run B to compare it with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.shell.formatting import headline, headline_words
from ui.shell.jobs import leave_first, leave_second, show_run, show_second, swap_runs
from ui.shell.methods import way_name
from ui.shell.ungraded import is_ungraded, short_estimate
from ui.shell.words import STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.jobs import Job

LETTERS = {"A": ":blue-background[**A**]", "B": ":violet-background[**B**]"}


def run_chip(letter: str, shown: Sequence[tuple[str, Job]], known: Sequence[Job]) -> None:
    """Draw the chip of run A or B, and beside the only chip the one that begins a comparison.

    Args:
        letter: "A" or "B".
        shown: the runs that the page shows, with their letters.
        known: the runs to choose from, newest first.
    """
    jobs = dict(shown)
    with st.container(horizontal=True, gap="xxsmall", width="content", vertical_alignment="center"):
        _popover(letter, shown, known)
        if letter in jobs:
            leave = leave_first if letter == "A" else leave_second
            words = f"Take run {letter} away"
            st.button(
                words, icon=":material/close:", key=f"icon-clear-{letter}", help=words, type="tertiary", on_click=leave
            )
        if letter == "B" and letter in jobs:
            words = "Let A and B change places"
            st.button(
                words, icon=":material/swap_vert:", key="icon-swap", help=words, type="tertiary", on_click=swap_runs
            )
        if letter == "A" and len(jobs) == 1 and len(known) > 1:
            _popover("B", shown, known)


def run_label(job: Job) -> str:
    """Return a run's line in a list: number, forgotten classes, method, state or headline numbers."""
    names = ", ".join(job.config.get("class_names") or map(str, job.config["forget"]))
    parts = [
        f"Run {job.number}",
        *([job.title] if job.title else []),
        f"forget {names}",
        way_name(job.config),
    ]
    result = headline(job)
    if result is None:
        return " · ".join([*parts, STATES[job.state][2].lower()])
    if is_ungraded(result):
        return " · ".join([*parts, short_estimate(result)])
    return " · ".join([*parts, headline_words(result, ", ")])


def _popover(letter: str, shown: Sequence[tuple[str, Job]], known: Sequence[Job]) -> None:
    """Draw a chip that opens the list of runs."""
    job = dict(shown).get(letter)
    title = f"{letter} · run {job.number}" if job else ("Compare" if letter == "B" else "Choose a run")
    icon = None if job else (":material/compare_arrows:" if letter == "B" else ":material/history:")
    with st.popover(title, icon=icon, key=f"chip-{letter}", type="secondary" if job else "tertiary"):
        others = {other.id for _, other in shown if other != job}
        offered = {run.id: run for run in known if run.id not in others}
        key = f"pick-{letter}-{job.id if job else ''}"  # a new one for every run, so that the box shows what is shown
        st.selectbox(
            "Run A" if letter == "A" else "Run B, to compare with",
            list(offered),
            index=list(offered).index(job.id) if job is not None and job.id in offered else None,
            format_func=lambda job_id: run_label(offered[job_id]),
            placeholder="Choose a run",
            filter_mode="contains",  # "run 3" finds run 3, not every run with these letters somewhere
            key=key,
            on_change=_picked,
            args=(letter, key),
        )


def _picked(letter: str, key: str) -> None:
    """Show the run that was picked."""
    job_id = st.session_state[key]
    if job_id is not None:
        (show_run if letter == "A" else show_second)(job_id)
