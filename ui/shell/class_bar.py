"""What every page of a shared dashboard does beside its own: knows who looks, says so, goes where the teacher leads."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.shell.formatting import escape
from ui.shell.jobs import job_store, may_change, pair, shared_store, show_run
from ui.shell.streamlit_fragments import redrawn
from ui.shell.visitor import classroom, present_visitor, visitor
from zspag_core.visitors.classroom import is_shared
from zspag_core.visitors.presence import CLEANING, OPEN, Presence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.jobs import Job

LOOK_SECONDS, HERE_SECONDS, MOST_NAMED = 3.0, 15.0, 6
OPENED, NOTED = "class-opened", "class-noted"


@st.cache_resource(show_spinner=False)
def presence() -> Presence:
    """Return the tables of the class."""
    return Presence(shared_store().engine)


def attend(page: str) -> None:
    """Let in who is known, go where the teacher leads, and note where this visitor is; before a page draws anything.

    Args:
        page: its title.
    """
    if not is_shared():
        return
    if visitor() is None:
        _ask_who()
        st.stop()
    wanted = _wanted()
    if wanted is not None:
        _go(*wanted)
    _note(page)


def _ask_who() -> None:
    """Say how to come in."""
    st.title("Join the class", anchor=False)
    if classroom().login:
        st.markdown("Your runs and uploads are your own. The teacher sees your name, your lesson and your answers.")
        st.button("Log in", type="primary", icon=":material/login:", key="login", on_click=st.login)
    else:
        st.markdown("This browser carries no pass, or one of another class. [Tell the code again](/join).")


def class_line() -> None:
    """Say who one is in the class."""
    if not is_shared():
        return
    found = present_visitor()
    role = "teacher" if found.teacher else "in the class"
    st.caption(f":material/person: {escape(found.name)} · {role}")
    if classroom().login:
        st.button("Log out", key="logout", type="tertiary", on_click=st.logout)


def look_at_class() -> None:
    """Look every few seconds whether the teacher leads elsewhere, and say what is announced to all."""
    if not is_shared():
        return

    @redrawn(LOOK_SECONDS)
    def look() -> None:
        if _wanted() is not None:
            st.rerun()
        _note()
        _announce()

    look()


def read_only_line() -> None:
    """Say of the runs that are shown whether they are somebody else's."""
    others = [job for _, job in pair() if not may_change(job)]
    if others:
        st.info(others_words(others), icon=":material/visibility:")


def others_words(jobs: list[Job]) -> str:
    """Return that sentence."""
    numbers = " and ".join(str(job.number) for job in jobs)
    one = len(jobs) == 1
    whose = "is somebody else's: you see its" if one else "are somebody else's: you see their"
    return f"Run{'' if one else 's'} {numbers} {whose} results, and cannot change {'it' if one else 'them'}."


def lead(page: str, *, job: Job | None = None, query: Mapping[str, str] | None = None, **state: Any) -> None:  # noqa: ANN401
    """Open a page for everybody.

    Args:
        page: its file.
        job: the run that is shown there.
        query: what its address says.
        **state: what widgets there hold, by their keys.

    Raises:
        ForbiddenError: no teacher asks.
    """
    body = {"page": page, "job": job.id if job else "", "query": dict(query or {}), "state": state}
    presence().lead(present_visitor(), body)
    found = presence().notice(OPEN)
    st.session_state[OPENED] = found[1] if found else 0.0


def note_lesson(number: int) -> None:
    """Note which lesson is open."""
    if is_shared():
        _note(lesson=number)


def note_answer(lesson: int, value: str, option: int | None) -> None:
    """Note what this visitor predicts."""
    key = f"class-answer-{lesson}-{value}"
    if is_shared() and option is not None and st.session_state.get(key) != option:
        presence().answer(present_visitor(), lesson, value, option)
        st.session_state[key] = option


def _wanted() -> tuple[dict[str, Any], float] | None:
    """Return where the teacher leads, if that is new: what was opened before this visitor came is not opened again."""
    found = presence().notice(OPEN)
    at = found[1] if found else 0.0
    return found if at > st.session_state.setdefault(OPENED, at) else None


def _go(body: Mapping[str, Any], at: float) -> None:
    """Go there."""
    st.session_state[OPENED] = at
    for key, value in body["state"].items():
        st.session_state[key] = value
    query = dict(body["query"])
    if body["job"]:
        show_run(body["job"])
        query["job"] = body["job"]
    st.switch_page(body["page"], query_params=query)


def _note(page: str = "", lesson: int = 0) -> None:
    """Note where this visitor is: at once when that changes, else now and then."""
    before = st.session_state.get(NOTED, ("", 0, 0.0))
    where = (page or before[0], lesson or before[1])
    if where != before[:2] or time.monotonic() - before[2] > HERE_SECONDS:
        presence().seen(present_visitor(), *where)
        st.session_state[NOTED] = (*where, time.monotonic())


def _announce() -> None:
    """Say which of this visitor's runs will be cleared away, while there are some."""
    found, store = presence().notice(CLEANING), job_store()
    announced = [store.get(job_id) for job_id in found[0]["runs"]] if found is not None else []
    going = [job for job in announced if job is not None and store.is_own(job) and job.pinned is None]
    if found is not None and going:
        st.warning(going_words(going, found[0]["due"]), icon=":material/cleaning_services:")


def going_words(jobs: list[Job], due: float) -> str:
    """Say which runs go, when, and what keeps them."""
    numbers = [str(job.number) for job in jobs]
    named = ", ".join(numbers[:MOST_NAMED]) + (f" and {len(numbers) - MOST_NAMED} more" * (len(numbers) > MOST_NAMED))
    what = f"your run{'s' if len(jobs) > 1 else ''} {named}"
    at = datetime.fromtimestamp(due).strftime("%H:%M")
    return f"The disk is nearly full: at {at} {what} will be deleted. Pin what shall stay, on the Runs page."
