from __future__ import annotations

import streamlit as st

from ui.frame import frame

run = frame("Model", "Choose, bring or train the classifier.")
if run is None:
    st.info("No run yet. Start one on the Forget page.", icon=":material/history:")
    st.stop()
