from __future__ import annotations

import streamlit as st

from ui.playground.page import playground, show_tries
from ui.shell.frame import frame

frame("Playground", "ZS-PAG in the plane: every knob runs the real method and redraws at once.")
playground()
show_tries()
st.page_link("pages/8_Learn.py", label="Next: 1 · Unlearning, on images", icon=":material/arrow_forward:")
