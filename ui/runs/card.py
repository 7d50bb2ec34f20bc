"""A run's card on the Runs page: title, note, link, and what can be done with it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from ui.shell.ended_card import resume_button
from ui.shell.formatting import escape, page_of, percent, state_words
from ui.shell.jobs import job_store, leave_first, leave_second, pair, show_run, show_second
from ui.shell.returned_model import returned_bytes, returned_model, returned_words
from ui.shell.run_picker import LETTERS
from zspag_core.jobs import State
from zspag_core.jobs.schema import TITLE_LENGTH
from zspag_core.visitors.classroom import is_shared

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ui.runs.table import RunRow
    from zspag_core.jobs import Job

DELETED = "deleted-runs"
RESTORABLE = 50


def run_card(row: RunRow, letters: Mapping[str, str]) -> None:
    """Draw one run with what can be changed."""
    job = row.job
    letter = letters.get(job.id, "")
    with st.container(border=True, gap="small"):
        colour, icon, word = state_words(job)
        mark = f"{LETTERS[letter]} &nbsp; " if letter else ""
        title = f" · {escape(job.title)}" if job.title else ""
        st.markdown(f"{mark}**Run {job.number}**{title} &nbsp; :{colour}-badge[{icon} {word}]")
        st.markdown(_sentence(row))
        _words(job)
        whose = "whoever is in the class, to look at" if is_shared() else "whoever else uses this computer"
        st.caption(f"Link to this run, to keep or for {whose}; it opens the run as it is now.")
        st.code(link_to(job), language=None, wrap_lines=True)
        _actions(job, letter)


def _sentence(row: RunRow) -> str:
    """Say what a run did, or why it did not."""
    what = f"Forget :orange[{escape(row.forgets)}] in {escape(row.model)} with {escape(row.way)}."
    if row.acc_rt is not None:
        lead = "" if row.lead is None else f" ({percent(row.lead, sign=True)} over mask)"
        return f"{what} **Acc_rt** {percent(row.acc_rt)}{lead}, **Acc_ut** {percent(row.acc_ut)}."
    if row.estimate:
        return f"{what} {row.estimate[0].upper()}{row.estimate[1:]}, an estimate."
    return f"{what}  \n{escape(f'{row.state}: {row.reason}')}" if row.reason else what


def _words(job: Job) -> None:
    """Draw title and note; what is typed is kept at once."""
    store = job_store()
    title, note = f"title-{job.id}", f"note-{job.id}"
    st.text_input(
        "Title",
        job.title,
        max_chars=TITLE_LENGTH,
        key=title,
        placeholder="A name for this run",
        on_change=lambda: store.rename(job.id, st.session_state[title]),
    )
    st.text_area(
        "Note",
        job.note,
        height=68,
        key=note,
        placeholder="What you expected, what you saw",
        on_change=lambda: store.annotate(job.id, st.session_state[note]),
    )


def link_to(job: Job) -> str:
    """Return the address that opens a run, on this server."""
    here = st.context.url or ""
    return f"{here.partition('?')[0].rpartition('/')[0]}/{page_of(job)}?job={job.id}"


def _actions(job: Job, letter: str) -> None:
    """Draw the buttons of a run."""
    with st.container(horizontal=True, gap="small"):
        if st.button("Open", key=f"open-{job.id}", icon=":material/open_in_full:"):
            show_run(job.id)
            st.switch_page("pages/5_Results.py" if page_of(job) == "Results" else "pages/2_Forget.py")
        if letter != "A":
            st.button("Make it A", key=f"a-{job.id}", on_click=make_first, args=(job.id,))
        if letter != "B":
            st.button("Make it B", key=f"b-{job.id}", on_click=make_second, args=(job.id,))
        if not job.active and job.state != State.DONE:
            resume_button(job, f"again-{job.id}")
        _returned_button(job)
        if is_shared():
            _pin_button(job)
        icon = ":material/delete:"
        st.button("Delete", key=f"delete-{job.id}", icon=icon, on_click=delete_run, args=(job.id,))


def _pin_button(job: Job) -> None:
    """Draw what keeps a run out of the clean-up that a full disk brings, or no longer does."""
    pinned = job.pinned is not None
    st.button(
        "Unpin" if pinned else "Pin",
        key=f"pin-{job.id}",
        icon=":material/keep_off:" if pinned else ":material/keep:",
        help="A pinned run stays when the disk is full and the oldest runs are cleared away.",
        on_click=job_store().pin,
        args=(job.id,),
        kwargs={"pinned": not pinned},
    )


def _returned_button(job: Job) -> None:
    """Draw the download of a finished run's model in its owner's container, where it came in another program's."""
    returned = returned_model(job.folder, job.answer) if isinstance(job.answer, dict) else None
    if returned is not None:
        st.download_button(
            "Unlearned, as it came",
            partial(returned_bytes, returned),
            f"run-{job.number}-{returned.name}{'.zip' if returned.is_dir() else ''}",
            key=f"returned-{job.id}",
            on_click="ignore",
            icon=":material/move_down:",
            help=returned_words(job.answer["model"]),
        )


def make_first(job_id: str) -> None:
    """Make a run A; if it was B, the two change places."""
    shown = {letter: job.id for letter, job in pair()}
    if shown.get("B") == job_id and "A" in shown:
        show_second(shown["A"])
    show_run(job_id)


def make_second(job_id: str) -> None:
    """Make a run B; if it was A, the two change places, and without an A it becomes A."""
    shown = {letter: job.id for letter, job in pair()}
    if "A" not in shown:
        show_run(job_id)
    elif shown["A"] != job_id:
        show_second(job_id)
    elif "B" in shown:
        show_run(shown["B"])
        show_second(job_id)


def delete_run(job_id: str) -> None:
    """Take a run out of the list; the page offers to bring it back."""
    letters = {job.id: letter for letter, job in pair()}
    job_store().delete(job_id)
    if job_id in letters:
        (leave_first if letters[job_id] == "A" else leave_second)()
    st.session_state[DELETED] = job_id


def restore_run(job_id: str) -> None:
    """Bring a deleted run back into the list."""
    job_store().restore(job_id)
    if st.session_state.get(DELETED) == job_id:
        st.session_state.pop(DELETED)


def undo_bar() -> None:
    """Offer to bring back the run that was deleted last."""
    job_id = st.session_state.get(DELETED)
    job = job_store().get(job_id) if job_id else None
    if job is None or job.deleted is None:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"Run {job.number} was deleted. Its files are kept for a day.", width="stretch")
        st.button("Undo", key="undo", icon=":material/undo:", on_click=restore_run, args=(job.id,))


def deleted_runs(rows: Sequence[RunRow]) -> None:
    """List what was deleted lately, each with the way back.

    Args:
        rows: the deleted runs, newest first.
    """
    if not rows:
        return
    with st.expander(f"Deleted in the last day ({len(rows)})", icon=":material/delete:"):
        for row in rows[:RESTORABLE]:
            line, way = st.columns([5, 1], vertical_alignment="center")
            line.markdown(escape(row.line))
            key = f"restore-{row.job.id}"
            way.button("Restore", key=key, on_click=restore_run, args=(row.job.id,), width="stretch")
