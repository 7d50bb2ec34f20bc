"""Grading a finished run later: the question which data, the task that does it, and how far that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.shell.data_picker import FILES, FOLDER, WORDS, folder_data, known_data, uploaded_data
from ui.shell.follow import task_line
from ui.shell.jobs import job_store, may_change, tasks_about
from ui.shell.paths import data_of
from ui.shell.selection import modified
from ui.shell.ungraded import lacks_of
from zspag_core.jobs import Job, Lane

if TYPE_CHECKING:
    from ui.results.run_view import View

KIND = "grade"


def grading_line(view: View) -> None:
    """Offer to grade a run with data that its own lacked, or say how far that is."""
    if view.after is None or not lacks_of(view.result):
        return
    task = asked(view.job)
    if task_line(task, "Grading the run", "grade", view.letter):
        return
    if not may_change(view.job):
        return
    with st.popover("Grade it with other data", icon=":material/grading:", key=f"grade-{view.letter}"):
        st.caption(
            "Data with test images of all classes, and training images of the remaining ones. They judge both models "
            "and reach neither; the estimates stay."
        )
        data = _pick(view.letter)
        st.button(
            "Grade",
            type="primary",
            key=f"grade-go-{view.letter}",
            disabled=data is None,
            on_click=_submit,
            args=(view.job, data),
        )


def asked(job: Job) -> Job | None:
    """Return the newest task that grades a run, None if nobody has asked for it."""
    return next(iter(tasks_about(job, KIND)), None)


def _pick(letter: str) -> str | None:
    """Draw the ways to data; return its name or path, None while there is none."""
    named = {name: data_of(name) for name in known_data()}
    way = st.selectbox(
        "Data",
        [*named, FILES, FOLDER],
        index=None,
        format_func=lambda option: WORDS.get(option, option),
        placeholder="Choose what it shall be graded with",
        key=f"grade-data-{letter}",
    )
    if way == FILES:
        return uploaded_data(None, key=f"grade-upload-{letter}")
    if way == FOLDER:
        return folder_data(None, key=f"grade-folder-{letter}")
    return named.get(way or "")


def _submit(job: Job, data: str | None) -> None:
    """Queue the task."""
    if data is not None:
        config = {"run": job.id, "data": data, "data_modified": modified(data)}
        job_store().submit(KIND, config, lane=Lane.RUNS, device=job.device)
