from __future__ import annotations

import streamlit as st

from ui.compare.comparisons import shipped_comparisons
from ui.compare.form import NEW, new_comparison, pick_comparison, shipped_head
from ui.compare.panels import comparison_panel, live_panel
from ui.shell.frame import frame
from ui.shell.gate import draw_form
from ui.shell.jobs import job_store

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
    draw_form(new_comparison, "methods")
else:
    live_panel(chosen)
