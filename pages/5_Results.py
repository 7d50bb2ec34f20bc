from __future__ import annotations

import streamlit as st

from ui.frame import frame

run = frame("Results", "Read what the run did, and what the numbers can tell.")
if run is None:
    st.info("No run yet. Start one on the Forget page.", icon=":material/history:")
    st.stop()
