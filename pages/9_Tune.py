from __future__ import annotations

import streamlit as st

from ui.shell.frame import frame
from ui.shell.jobs import ask, engine_question, job_store, wait_for
from ui.shell.selection import current_choice
from ui.tune.form import new_sweep
from ui.tune.panels import known_sweeps, sweep_panel
from zspag_core.jobs import Lane, State

LISTED = 20


def show_form() -> None:
    """Draw the form of a new sweep, as soon as the worker has said what there is to choose from."""
    choice = current_choice()
    if choice is None:
        st.error("There is no model in assets/checkpoints, and none was chosen. The Model page takes or trains one.")
        st.page_link("pages/1_Model.py", label="Choose a model", icon=":material/network_node:")
        return
    about, engine = ask("inspect_data", choice.question), ask("engine", engine_question())
    waiting = [question for question in (about, engine) if question.active]
    if waiting:
        wait_for(*waiting)
    if engine.state == State.DONE:
        new_sweep(choice, about, engine.answer)
    elif engine.active:
        st.caption("The engine is starting: its methods appear here in about five seconds.")
    else:
        st.error(f"The engine does not start. {engine.error}")


frame("Tune", "Try many settings, and choose without looking at what must be kept.")
sweep = st.query_params.get("sweep")
if sweep:
    sweep_panel(sweep)
else:
    show_form()
    known_sweeps(job_store().latest(Lane.SWEEPS, LISTED, kind="tune"))
