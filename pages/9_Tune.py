from __future__ import annotations

import streamlit as st

from ui.shell.frame import frame
from ui.shell.gate import draw_form
from ui.shell.jobs import job_store
from ui.tune.form import new_sweep
from ui.tune.panels import known_sweeps, sweep_panel
from zspag_core.jobs import Lane

LISTED = 20


sweep = st.query_params.get("sweep")
frame("Tune", "Try many settings, and choose without looking at what must be kept.", strip=not sweep)
if sweep:
    sweep_panel(sweep)
else:
    draw_form(new_sweep, "methods")
    known_sweeps(job_store().latest(Lane.SWEEPS, LISTED, kind="tune"))
