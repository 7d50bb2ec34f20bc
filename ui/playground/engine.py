"""The process that answers the Playground: one for all visitors of this server, started when the page is first opened."""

from __future__ import annotations

import streamlit as st

from zspag_core.plane.client import PlaneClient


@st.cache_resource(show_spinner=False, on_release=PlaneClient.close)
def plane_client() -> PlaneClient:
    """Return what asks the engine; the page itself has no torch (docs/playground.md says what that would cost)."""
    return PlaneClient()
