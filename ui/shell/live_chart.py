"""A plotly figure that changes while it is looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import streamlit as st

from ui.shell.charts import prepared, put

if TYPE_CHECKING:
    import plotly.graph_objects as go

PLACES = 3
"""How many versions stand at once: the browser may be two behind before a place is empty."""
AREA = (
    ".st-key-{key}-places{{display:grid;grid-template-columns:100%}}.st-key-{key}-places>*{{grid-area:1/1;width:100%}}"
)
DRAWN = ".js-plotly-plot:not([style*='visibility: hidden']) .main-svg"
"""A figure that can be seen: Streamlit keeps one hidden while plotly builds it."""
COVER = ".st-key-{key}-places:has(.st-key-{key}-{newer} " + DRAWN + ") .st-key-{key}-{older}{{visibility:hidden}}"


@dataclass
class _Places:
    """Places one above the other; versions of a figure stand in them by turns."""

    drawn: list[tuple[go.Figure, str, int] | None] = field(default_factory=lambda: [None] * PLACES)
    version: int = 0
    spec: str = ""

    def take(self, figure: go.Figure, alt: str) -> None:
        """Put a figure over the oldest version, unless it is the one that is shown."""
        if (spec := str(figure.to_json())) != self.spec:
            self.version, self.spec = self.version + 1, spec
            self.drawn[self.version % PLACES] = figure, alt, self.version

    def style(self, key: str) -> str:
        """Return the rules by which each version covers those before it from the moment when it can be seen."""
        versions = range(self.version, self.version - PLACES, -1)
        covers = (COVER.format(key=key, newer=newer, older=older) for newer, older in combinations(versions, 2))
        return f"<style>{AREA.format(key=key)}{''.join(covers)}</style>"


def live_chart(figure: go.Figure, *, key: str, alt: str) -> None:
    """Draw a figure of which a next version follows soon.

    Streamlit 1.67 builds plotly's figure from nothing whenever its content changes (streamlit/streamlit#8782), and the
    place is empty until the browser is done: on a busy machine most of the time. Here former versions stand until a
    newer one is drawn, each in a place of its own, by turns.

    Args:
        figure: the picture.
        key: its name among the widgets.
        alt: what it shows, for those who cannot see it.
    """
    places = st.session_state.setdefault(f"live-{key}", _Places())
    places.take(prepared(figure), alt)
    with st.container(key=f"{key}-places"):
        for drawn in places.drawn:
            with st.container():
                if drawn is not None:
                    figure, alt, version = drawn
                    put(figure, key=f"{key}-{version}", alt=alt)
        st.html(places.style(key))
