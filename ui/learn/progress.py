"""Where a visitor stands in the lessons: the value tried, what was predicted and shown, the runs made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.learn.lessons import LESSONS, knob_value
from ui.learn.records import record_of_job, without_answer
from ui.shell.artifacts import load_arrays
from ui.shell.demo import submit_own
from ui.shell.jobs import current_run, job_store
from ui.shell.shipped_records import shipped_runs
from ui.shell.url_params import write_word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ui.learn.lessons import Lesson
    from ui.shell.selection import Choice
    from zspag_core.jobs import Job


def pick_value(number: int, lesson: Lesson) -> str:
    """Draw the lesson's knob and return its value; the address has it, so that a link opens the lesson as it stands."""
    knob, key = lesson.knob, f"knob-{number}"
    if key not in st.session_state:
        st.session_state[key] = knob_value(knob, st.query_params.get(knob.name))
    shared: dict[str, Any] = {"key": key, "format_func": knob.say, "persist_state": "session"}
    if knob.ordered:
        value = st.select_slider(knob.label, knob.values, **shared)
    else:
        value = st.pills(knob.label, knob.values, required=True, **shared)
    _write_address(number, knob.name, value)
    return str(value)


def held_value(number: int, lesson: Lesson) -> str:
    """Return the value of the lesson's knob as it stands, before or without drawing it."""
    held = st.session_state.get(f"knob-{number}")
    return str(held) if held is not None else knob_value(lesson.knob, st.query_params.get(lesson.knob.name))


def _write_address(number: int, name: str, value: str) -> None:
    """Make the address one that opens this lesson with this value, and no other lesson's."""
    for other in LESSONS:
        if other.knob.name != name:
            st.query_params.pop(other.knob.name, None)
    write_word("lesson", str(number))
    write_word(name, value)


def show_answer_of(number: int, value: str) -> None:
    """Remember that the visitor has asked for the answer of a value."""
    st.session_state[f"shown-{number}-{value}"] = True


def begin(number: int, lesson: Lesson, value: str, choice: Choice) -> None:
    """Queue the lesson's run and remember it."""
    arm = lesson.arm(value)
    job = submit_own(choice, list(arm.forget), arm.method, dict(arm.settings), arm.seed)
    st.session_state[f"lesson-run-{number}-{value}"] = job.id


def adopt_run(number: int, lesson: Lesson, choice: Choice) -> None:
    """Take the run that is open for the visitor's own where it answers this lesson: after a reload, or from a link."""
    job = current_run()
    if job is None or (job.config.get("data"), job.config.get("checkpoint")) != (choice.data, str(choice.checkpoint)):
        return
    made = tuple(job.config.get(name) for name in ("forget", "method", "settings", "seed"))
    for value in lesson.knob.values:
        arm, key = lesson.arm(value), f"lesson-run-{number}-{value}"
        if not st.session_state.get(key) and made == (list(arm.forget), arm.method, dict(arm.settings), arm.seed):
            st.session_state[key] = job.id


def own_run(number: int, value: str) -> Job | None:
    """Return the run that the visitor has made for a value of a lesson."""
    job_id = st.session_state.get(f"lesson-run-{number}-{value}")
    return job_store().get(job_id) if job_id else None


def record_for(number: int, lesson: Lesson, value: str) -> Mapping[str, Any] | None:
    """Return what the answer is read from: the visitor's own run, else the one that ships if it was asked for."""
    job = own_run(number, value)
    own = record_of_job(job, load_arrays(job.folder, "grading")) if job is not None else None
    if own is not None or not st.session_state.get(f"shown-{number}-{value}"):
        return own
    return shipped_runs(lesson.runs).records.get(value)


def records_seen(number: int, lesson: Lesson) -> dict[str, Mapping[str, Any]]:
    """Return the records of every value whose answer the visitor has seen, and of the references."""
    shipped = shipped_runs(lesson.runs).records
    seen = {value: shipped[value] for value in lesson.references if value in shipped}
    for value in lesson.knob.values:
        record = record_for(number, lesson, value)
        if record is not None:
            seen[value] = record
    return seen


def records_so_far(number: int, lesson: Lesson, value: str) -> dict[str, Mapping[str, Any]] | None:
    """Return the records seen and of a value what was known before its run; None where nothing was, or no run ships."""
    asked = without_answer(shipped_runs(lesson.runs).records.get(value, {}))
    return None if asked is None else records_seen(number, lesson) | {value: asked}


def go_on(number: int) -> None:
    """Draw the way to the next lesson, after the last one to a run of one's own."""
    if number < len(LESSONS):
        following = f"Next: {number + 1} · {LESSONS[number].short}"
        st.button(following, icon=":material/arrow_forward:", key="next", on_click=open_lesson, args=(number + 1,))
    else:
        st.page_link("pages/2_Forget.py", label="Now with your own choice", icon=":material/ink_eraser:")


def open_lesson(number: int) -> None:
    """Open a lesson, for a button."""
    st.session_state["lesson"] = number


def show_source(number: int, lesson: Lesson, value: str) -> None:
    """Say which run the answer is read from, and lead to it if it was made here."""
    job = own_run(number, value)
    if job is None or job.active:
        shipped = shipped_runs(lesson.runs)
        anew = f"; trained anew with seeds 0 to {len(lesson.references) - 1}" if lesson.references else ""
        st.caption(f":material/inventory_2: Pre-run on {shipped.made}, {shipped.machine}, seed 0{anew}.")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f":material/bolt: Run {job.number}, made here.", width="content")
        st.page_link("pages/2_Forget.py", label="See the run", icon=":material/ink_eraser:")
        st.page_link("pages/5_Results.py", label="Every figure of it", icon=":material/monitoring:")
