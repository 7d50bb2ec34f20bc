"""The map as a component of our own: a canvas that shows the picture behind a point, glides, and keeps its zoom.

Plotly cannot show pictures on hover, and it forgets zoom and selection whenever a figure changes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HERE = Path(__file__).parent
DOT, RING, DIAMOND = 0, 1, 2
"""Marks: filled for real images, hollow for proxies, with corners for forgotten classes."""

_mount = st.components.v2.component(
    "zspag_scatter",
    html=(HERE / "scatter.html").read_text(encoding="utf-8"),
    css=(HERE / "scatter.css").read_text(encoding="utf-8"),
    js="\n".join((HERE / name).read_text(encoding="utf-8") for name in ("drawing.js", "scatter.js")),
)

_empty = st.components.v2.component("zspag_scatter_ahead", html="<i></i>")


def load_ahead(key: str) -> None:
    """Draw nothing, but have the browser load what draws components: a map then comes a tenth of a second sooner."""
    _empty(key=f"ahead-{key}")


def scatter(spec: Mapping[str, Any], key: str, marked: Sequence[int] = ()) -> list[int]:
    """Draw points and return the numbers of those that the visitor picked, in order.

    Args:
        spec: what ui.figures.proxies.map_spec returns.
        key: name of the widget; while it stays the same, zoom and selection stay too.
        marked: numbers of points that stand out like picked ones.
    """
    count = len(spec["x"])
    data = {**spec, "picked": picks_of(key, count), "marked": list(marked)}
    shown = _mount(key=key, data=data, default={"picked": []}, on_picked_change=_nothing)
    return valid_picks(shown.picked, count)


def picks_of(key: str, count: int) -> list[int]:
    """Return the points that are picked in a map of `count` points, before it is drawn."""
    return valid_picks((st.session_state.get(key) or {}).get("picked"), count)


def clear_picks(*keys: str) -> None:
    """Let go of the points that are picked in some maps."""
    for key in keys:
        st.session_state[key] = {"picked": []}


def valid_picks(picked: Any, count: int) -> list[int]:  # noqa: ANN401 - it comes from the browser
    """Return the numbers of existing points out of what a browser sent."""
    if not isinstance(picked, list | tuple):
        return []
    return sorted({int(i) for i in picked if isinstance(i, int | float) and 0 <= i < count})


def _nothing() -> None:
    """Let the page run again, which is all that a change asks for."""
