"""What must be there before a form can be drawn: a chosen model, and the engine's word on what there is to set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.shell.follow import wait_for
from ui.shell.jobs import ask, engine_question
from ui.shell.selection import current_choice
from zspag_core.jobs import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ui.shell.selection import Choice
    from zspag_core.jobs import Job

NO_MODEL = "There is no model in assets/checkpoints, and none was chosen. The Model page takes or trains one."


def chosen() -> Choice | None:
    """Return the model and data that the visitor works with; without any, say where to choose them."""
    choice = current_choice()
    if choice is None:
        st.error(NO_MODEL)
        st.page_link("pages/1_Model.py", label="Choose a model", icon=":material/network_node:")
    return choice


def ask_about(choice: Choice) -> tuple[Job, Job]:
    """Ask about the chosen data and the engine, and draw the page again once either answers; return both questions."""
    questions = ask("inspect_data", choice.question), ask("engine", engine_question())
    waiting = [question for question in questions if question.active]
    if waiting:
        wait_for(*waiting)
    return questions


def engine_ready(engine: Job, what: str) -> bool:
    """Tell whether the engine has said what there is to set; until then, say so in the form's place.

    Args:
        engine: the question to it.
        what: what appears with the answer: "methods".
    """
    if engine.active:
        st.caption(f"The engine is starting: its {what} appear here in about five seconds.")
        st.skeleton(height=320)
    elif engine.state != State.DONE:
        st.error(f"The engine does not start. {engine.error}", icon=":material/error:")
    return engine.state == State.DONE


def draw_form(form: Callable[[Choice, Job, Mapping[str, Any]], object], what: str) -> None:
    """Draw a form as soon as model and engine are there.

    Args:
        form: takes the choice, the question about its data, and what the engine says of itself.
        what: as in :func:`engine_ready`.
    """
    choice = chosen()
    if choice is not None:
        about, engine = ask_about(choice)
        if engine_ready(engine, what):
            form(choice, about, engine.answer)
