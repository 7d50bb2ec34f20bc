"""Drawing a plotly figure on a page, with few buttons above it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.shell.presenting import presenting

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from ui.figures.drawn import Drawn

BADGE = ":gray-badge[for grading only]"

SELDOM = ["zoomIn2d", "zoomOut2d", "autoScale2d"]
WAYS_TO_DRAG = ["zoom2d", "pan2d", "select2d", "lasso2d"]
FEW_BUTTONS: dict[str, Any] = {"displaylogo": False, "modeBarButtonsToRemove": [*SELDOM, *WAYS_TO_DRAG]}
"""What plotly's bar leaves out: with all its buttons it hides the legend. A drag zooms, a double click goes back."""
BAR_ROOM = 30
"""Pixels beside a picture, in which plotly's bar covers neither legend nor marks."""
PICKING = FEW_BUTTONS | {"modeBarButtonsToRemove": SELDOM}
"""The same where points can be picked by drawing around them: what a drag does can be chosen."""


ROOM_TYPE, ROOM_HEIGHT, USUAL_HEIGHT = 19, 1.3, 450
"""In presenter mode: pixels of the type, how much higher figures are, and how high one is that does not say it."""


def chart(figure: go.Figure, *, key: str, alt: str) -> None:
    """Draw a figure.

    Args:
        figure: the picture.
        key: its name among the widgets.
        alt: what it shows, for those who cannot see it.
    """
    st.plotly_chart(_make_room(for_room(figure)), key=key, alt=alt, config=FEW_BUTTONS)


def for_room(figure: go.Figure) -> go.Figure:
    """Return a figure as it is drawn: in presenter mode with larger type, and higher by as much."""
    if presenting():
        figure.update_layout(font_size=ROOM_TYPE, height=ROOM_HEIGHT * (figure.layout.height or USUAL_HEIGHT))
    return figure


def picking_chart(figure: go.Figure, *, key: str, alt: str) -> list[Any]:
    """Draw a figure whose points can be picked; return what the picked ones carry as "customdata"."""
    event: Any = st.plotly_chart(_make_room(figure), key=key, alt=alt, config=PICKING, on_select="rerun")
    return [point["customdata"] for point in event.selection.points]


def _make_room(figure: go.Figure) -> go.Figure:
    """Give plotly's bar a margin of its own: upright at the right, or on top where the legend stands at the right."""
    margin, beside = figure.layout.margin, (figure.layout.legend.x or 0) > 1
    side, size = ("t", margin.t) if beside else ("r", margin.r)
    return figure.update_layout(
        modebar={"orientation": "h" if beside else "v"}, margin={side: max(BAR_ROOM, size or 0)}
    )


def draw(drawn: Drawn | None, letter: str, missing: str = "") -> None:
    """Draw one figure with its heading and note, or a sentence where there is none; `letter` is its key's end."""
    if drawn is None:
        st.caption(missing)
        return
    st.markdown(f"**{drawn.title}** {BADGE if drawn.grading else ''}")
    chart(drawn.figure, key=f"{drawn.name}-{letter}" if letter else drawn.name, alt=drawn.alt)
    if drawn.note:
        st.caption(drawn.note)


def load_chart_library() -> None:
    """Have the browser load what draws charts while a person reads a page that has none; nothing of it is seen.

    It is 5 MB of script: on two slow cores that a run kept busy, a run's first charts came 3 s later without this.
    """
    import plotly.graph_objects as go

    with st.container(key="no-chart"):
        st.plotly_chart(go.Figure(), key="no-chart-yet", config={"staticPlot": True})
