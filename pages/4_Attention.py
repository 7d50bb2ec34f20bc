from __future__ import annotations

import streamlit as st

from ui.frame import frame

run = frame("Attention", "See where the model looks, before and after.")
if run is None:
    st.info("No run yet. Start one on the Forget page.", icon=":material/history:")
    st.stop()
