"""A figure of lines that changes while it is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from ui.figures.curves import curves_of
from ui.shell.charts import for_room

if TYPE_CHECKING:
    import plotly.graph_objects as go

HERE = Path(__file__).parent

_mount = st.components.v2.component(
    "zspag_live_chart",
    html='<figure><svg role="img"></svg><output hidden></output></figure>',
    css=(HERE / "live_chart.css").read_text(encoding="utf-8"),
    js=(HERE / "live_chart.js").read_text(encoding="utf-8"),
)


def live_chart(figure: go.Figure, *, key: str, alt: str) -> None:
    """Draw a figure of which a next version follows soon.

    Streamlit 1.67 builds plotly's figure from nothing whenever its content changes (streamlit/streamlit#8782): two
    charts that change each second took 5 processor seconds of a browser and 2 of the server while the demo ran, half
    as much as the run itself, and the place was empty until the browser was done. So while lines grow they are drawn
    by a component of our own, from the same figure; plotly draws what stands still.

    Args:
        figure: the picture; see :func:`ui.figures.curves.curves_of` for what it may hold.
        key: its name among the widgets.
        alt: what it shows, for those who cannot see it.
    """
    _mount(key=f"live-{key}", data=curves_of(for_room(figure)) | {"alt": alt})
