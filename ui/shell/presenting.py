"""Presenter mode, `?present=1`: large type, one panel, no form; for a projector."""

from __future__ import annotations

import streamlit as st

from ui.shell.url_params import UrlWord
from zspag_core.shipped import ASSETS

PRESENT = UrlWord("present", "present")
STYLE = ASSETS / "present.css"


def presenting() -> bool:
    """Tell whether this page is shown to a room; remembered from page to page and, by the address, over a reload."""
    if PRESENT.read() != "1":
        return False
    PRESENT.write("1")
    return True


def begin_presenting() -> None:
    """Show pages to a room from now on, for a button."""
    PRESENT.write("1")


def leave_presenting() -> None:
    """Show pages as usual again, for a button."""
    PRESENT.clear()


def way_out() -> None:
    """Draw the button that leads back to the usual pages."""
    st.button(
        "Leave presenter mode",
        key="icon-present",
        icon=":material/close_fullscreen:",
        help="Leave presenter mode",
        type="tertiary",
        on_click=leave_presenting,
    )
