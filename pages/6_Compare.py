from __future__ import annotations

import streamlit as st

from ui.compare.comparisons import shipped_comparisons
from ui.compare.form import NEW, new_comparison, pick_comparison, shipped_head
from ui.compare.panels import comparison_panel, live_panel
from ui.shell.frame import frame
from ui.shell.jobs import ask, engine_question, job_store, wait_for
from ui.shell.selection import current_choice
from zspag_core.jobs import State


def show_form() -> None:
    """Draw the form of a new comparison, as soon as the worker has said what there is to choose from."""
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
        new_comparison(choice, about, engine.answer)
    elif engine.active:
        st.caption("The engine is starting: its methods appear here in about five seconds.")
        st.skeleton(height=320)
    else:
        st.error(f"The engine does not start. {engine.error}")


frame("Compare", "Which method forgets, at what cost to the rest, and how much of it is more than masking.")
shipped, mine = shipped_comparisons(), job_store().comparisons()
chosen = pick_comparison(shipped, mine)
ready = next((comparison for comparison in shipped if comparison.name == chosen), None)
if ready is not None:
    shipped_head(ready)
    comparison_panel(ready, {})
elif chosen == NEW:
    if not shipped and not mine:
        st.info(
            "Nothing has been compared yet. Tick classes, methods and seeds: a table, figures and links to every run "
            "appear here and fill in as the runs finish.",
            icon=":material/info:",
        )
    show_form()
else:
    live_panel(chosen)
