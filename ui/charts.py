"""Drawing a plotly figure on a page, with few buttons above it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    import plotly.graph_objects as go

SELDOM = ["zoomIn2d", "zoomOut2d", "autoScale2d"]
WAYS_TO_DRAG = ["zoom2d", "pan2d", "select2d", "lasso2d"]
FEW_BUTTONS: dict[str, Any] = {"displaylogo": False, "modeBarButtonsToRemove": [*SELDOM, *WAYS_TO_DRAG]}
"""What plotly's bar leaves out: with all its buttons it hides the legend. A drag zooms, a double click goes back."""
BAR_ROOM = 30
"""Pixels at the right of a picture in which plotly's bar stands upright, where it covers neither legend nor marks."""
PICKING = FEW_BUTTONS | {"modeBarButtonsToRemove": SELDOM}
"""The same where points can be picked by drawing around them: what a drag does can be chosen."""


def chart(figure: go.Figure, *, key: str, alt: str) -> None:
    """Draw a figure.

    Args:
        figure: the picture.
        key: its name among the widgets.
        alt: what it shows, for those who cannot see it.
    """
    st.plotly_chart(_with_room(figure), key=key, alt=alt, config=FEW_BUTTONS)


def picking_chart(figure: go.Figure, *, key: str, alt: str) -> list[Any]:
    """Draw a figure whose points can be picked; return what the picked ones carry as "customdata"."""
    event: Any = st.plotly_chart(_with_room(figure), key=key, alt=alt, config=PICKING, on_select="rerun")
    return [point["customdata"] for point in event.selection.points]


def _with_room(figure: go.Figure) -> go.Figure:
    """Return a figure with plotly's bar upright in a margin of its own."""
    margin = max(BAR_ROOM, figure.layout.margin.r or 0)
    return figure.update_layout(modebar={"orientation": "v"}, margin={"r": margin})
