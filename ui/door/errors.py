"""What is said where a page breaks off: a refusal in its own sentence, whatever else as Streamlit says it."""

from __future__ import annotations

import streamlit as st

from ui.shell.formatting import escape
from zspag_core.errors import ZspagError


def show_refusal(error: Exception) -> bool:
    """Say an error that is meant for people in its own words; tell whether it was one."""
    if not isinstance(error, ZspagError):
        return False
    st.error(escape(str(error)), icon=":material/block:")
    return True
