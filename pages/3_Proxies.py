from __future__ import annotations

import streamlit as st

from ui.frame import frame

run = frame("Proxies", "See the stand-ins for the missing data beside real samples.")
if run is None:
    st.info("No run yet. Start one on the Forget page.", icon=":material/history:")
    st.stop()
