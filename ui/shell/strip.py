"""The thin strip under every title: the way through the story, and where run A, and run B beside it, stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.shell.formatting import escape, find, headline, percent, state_words
from ui.shell.jobs import job_store, pair
from ui.shell.methods import USUAL, method_name
from ui.shell.run_picker import LETTERS, run_chip
from ui.shell.selection import NAME_LENGTH, chosen_model
from ui.shell.streamlit_fragments import redrawn
from ui.shell.ungraded import is_ungraded, short_estimate
from zspag_core.metrics.catalogue import ACC_RT, ACC_UT

if TYPE_CHECKING:
    from zspag_core.jobs import Job

STORY = (
    ("pages/1_Model.py", "Model"),
    ("pages/2_Forget.py", "Forget"),
    ("pages/3_Proxies.py", "Proxies"),
    ("pages/4_Attention.py", "Attention"),
    ("pages/5_Results.py", "Results"),
)
LIVE_SECONDS = 2.0
PICKED_FROM = 50


def story_strip() -> None:
    """Draw the strip: the pages with run A, and a second line with run B where two runs are compared."""
    shown = pair()
    known = job_store().latest(limit=PICKED_FROM, kind="unlearn", begun=True)
    runs = dict(shown)
    with st.container(key="strip", gap="xxsmall"):
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            _line("A" if "B" in runs else "", runs.get("A"), links=True)
            if shown or known:
                run_chip("A", shown, known)
        if "B" in runs:
            with st.container(horizontal=True, gap="small", vertical_alignment="center"):
                _line("B", runs["B"], links=False)
                run_chip("B", shown, known)


def _line(letter: str, job: Job | None, *, links: bool) -> None:
    """Draw what is said of one run; it moves while the run does."""
    live = job is not None and job.active

    @redrawn(LIVE_SECONDS if live else None)
    def line() -> None:
        now = None if job is None else job_store().get(job.id)
        with st.container(
            horizontal=True, gap="xxsmall", vertical_alignment="center", horizontal_alignment="distribute"
        ):
            with st.container(horizontal=True, gap="xxsmall", vertical_alignment="center", width="content"):
                if letter:
                    st.markdown(LETTERS[letter], width="content")
                if links:
                    _links(now)
                elif now is not None:
                    st.markdown(f"{link_text('Model', now)} :gray[→] {link_text('Forget', now)}", width="content")
            if now is not None:
                st.markdown(run_text(now), width="content")

    line()


def _links(job: Job | None) -> None:
    """Draw the way from page to page."""
    for place, (path, name) in enumerate(STORY):
        if place:
            st.markdown(":gray[→]", width="content")
        st.page_link(path, label=link_text(name, job))


def link_text(name: str, job: Job | None) -> str:
    """Return what a link of the strip says: the page, and for the first two what was chosen there."""
    if name == "Model":
        chosen = chosen_model(job)
        return f"Model **{chosen}**" if chosen else name
    if job is None or name != "Forget":
        return name
    return f"Forget :orange[**{escape(forgotten_names(job))}**]{rival(job)}"


def rival(job: Job) -> str:
    """Return the method of a run, where it is not the usual one."""
    return "" if job.config.get("method", USUAL) == USUAL else f" · {method_name(job.config)}"


def forgotten_names(job: Job) -> str:
    """Return the names of the forgotten classes; of many, the first and how many more."""
    names = [str(name) for name in job.config.get("class_names") or job.config.get("forget", ())]
    whole = ", ".join(names)
    return whole if len(whole) <= NAME_LENGTH or len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def run_text(job: Job) -> str:
    """Return what the strip says of a run: its state and the two headline numbers."""
    colour, icon, word = state_words(job)
    text = f":{colour}-badge[{icon} {word}]"
    result = headline(job)
    if result is None:
        return text
    if is_ungraded(result):
        return f"{text} {short_estimate(result)}"
    then, now, gone = (
        percent(find(result[when], measure.path))
        for when, measure in (("before", ACC_RT), ("after", ACC_RT), ("after", ACC_UT))
    )
    return f"{text} {ACC_RT.short} {then.split()[0]} → **{now}** · {ACC_UT.short} **{gone}**"
