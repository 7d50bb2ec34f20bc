"""What is said where a page breaks off: a refusal or a fault of the machine in a sentence, else what Streamlit says."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ui.shell.formatting import escape
from zspag_core.errors import ZspagError
from zspag_core.faults import fault_words


def show_refusal(error: Exception) -> bool:
    """Say an error that is meant for people in its own words; tell whether it was one."""
    words = str(error) if isinstance(error, ZspagError) else fault_words(error)
    if words is None:
        return False
    st.error(escape(words), icon=":material/block:")
    return True


def say_refusals() -> None:
    """Have what breaks off this page said so, as `st.App` does with `on_script_error`; for every page to call."""
    context = get_script_run_ctx()
    if context is not None and context.on_script_error is None:
        context.on_script_error = show_refusal
