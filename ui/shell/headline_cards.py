"""Cards of headline figures: a figure, its change, what it means; estimates where a run is not graded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from ui.shell.formatting import percent
from ui.shell.ungraded import ESTIMATE, estimate_rows, misread, why_ungraded
from ui.shell.words import ESTIMATE_NOTE

if TYPE_CHECKING:
    from collections.abc import Mapping


ESTIMATES_A_ROW = 4


def estimate_panel(result: Mapping[str, Any], a_row: int = ESTIMATES_A_ROW) -> None:
    """Say why a run is not graded, and draw the estimates that there are, so many in a row."""
    st.info(f"{why_ungraded(result)} {ESTIMATE_NOTE}", icon=":material/info:")
    if warning := misread(result):
        st.warning(warning, icon=":material/warning:")
    rows = estimate_rows(result)
    places = [
        place
        for first in range(0, len(rows), a_row)
        for place in st.columns(min(a_row, len(rows)))[: len(rows) - first]
    ]
    for place, (title, then, now, meaning) in zip(places, rows, strict=True):
        change = None if now is None else round(now - then, 1)
        with place, st.container(border=True, gap="xxsmall", height="stretch"):
            st.metric(title, percent(now), change_words(change), delta_color="off", delta_arrow=arrow(change))
            st.caption(f"{ESTIMATE} {meaning[0].upper()}{meaning[1:]}.")


def change_words(change: float | None) -> str | None:
    """Write a change in points; None where there is none to tell."""
    return None if change is None else f"{percent(change, sign=True)} points" if change else "unchanged"


def arrow(change: float | None) -> Literal["up", "down", "off"]:
    """Return the arrow of a change: a metric card does not read a true minus as down."""
    return "off" if not change else "up" if change > 0 else "down"
