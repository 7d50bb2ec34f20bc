from __future__ import annotations

import streamlit as st

from ui.frame import frame

run = frame("Learn", "Five short lessons that drive the real pages.")
if run is None:
    st.info("No run yet. Start one on the Forget page.", icon=":material/history:")
    st.stop()
