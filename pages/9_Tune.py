from __future__ import annotations

import streamlit as st

from ui.shell import gate
from ui.shell.frame import frame
from ui.shell.jobs import job_store
from ui.tune.form import new_sweep
from ui.tune.panels import known_sweeps, sweep_panel
from zspag_core.jobs import Lane

LISTED = 20


def show_form() -> None:
    """Draw the form of a new sweep, as soon as the worker has said what there is to choose from."""
    choice = gate.chosen()
    if choice is not None:
        about, engine = gate.ask_about(choice)
        if gate.engine_ready(engine, "methods"):
            new_sweep(choice, about, engine.answer)


frame("Tune", "Try many settings, and choose without looking at what must be kept.")
sweep = st.query_params.get("sweep")
if sweep:
    sweep_panel(sweep)
else:
    show_form()
    known_sweeps(job_store().latest(Lane.SWEEPS, LISTED, kind="tune"))
