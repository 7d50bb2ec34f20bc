"""The two planes as a component of our own: plays epochs without asking, and tells where a visitor clicks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HERE = Path(__file__).parent
KEY = "play-plane"

_mount = st.components.v2.component(
    "zspag_plane",
    html=(HERE / "plane.html").read_text(encoding="utf-8"),
    css=(HERE / "plane.css").read_text(encoding="utf-8"),
    js="\n".join((HERE / name).read_text(encoding="utf-8") for name in ("drawing.js", "plane.js")),
)


def plane(
    data: Mapping[str, Any], on_added: Callable[[], None], on_epoch: Callable[[], None], on_epsilon: Callable[[], None]
) -> None:
    """Draw the planes.

    Args:
        data: what :func:`ui.playground.view.plane_data` returns.
        on_added: called when a visitor has clicked a point in; :func:`added_point` says which.
        on_epoch: called when another epoch is shown; :func:`reported` says which.
        on_epsilon: called while the slider of ε is moved; :func:`reported` says to where.
    """
    _mount(
        key=KEY,
        data=dict(data),
        on_added_change=on_added,
        on_epoch_change=on_epoch,
        on_epsilon_change=on_epsilon,
    )


def added_point() -> tuple[int, int, int] | None:
    """Return what was clicked last: across, up (0 to 255), class, of which -1 means that a point is taken away."""
    point = (st.session_state.get(KEY) or {}).get("added")
    if (
        not isinstance(point, list | tuple)
        or len(point) != 3
        or not all(isinstance(part, int | float) for part in point)
    ):
        return None
    across, up, k = (int(part) for part in point)
    return across, up, k


def reported(what: str) -> float | None:
    """Return the number that the browser has told last under a name."""
    number = (st.session_state.get(KEY) or {}).get(what)
    return number if isinstance(number, int | float) and not isinstance(number, bool) else None
