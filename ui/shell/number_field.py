"""A field for a number that always shows the number in use: one that cannot be is corrected in sight.

Streamlit's own field keeps a number outside of its bounds to itself: it turns red, and the page goes on with the number
before it. Here the page gets what was typed, puts the nearest possible number into the field and says so below.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamlit.delta_generator import DeltaGenerator

CORRECTED, WHEN = "number-corrected", "number-corrected-at"
UNREAD_SECONDS = 1.0
"""A button pressed within this time after a correction was pressed before it could be read."""
PRESS_AGAIN = "A number was corrected: look at it, then press again."


def number_field(
    label: str,
    low: float | None,
    high: float | None,
    value: float | None = None,
    *,
    key: str,
    step: float = 1,
    empty: str | None = None,
    place: DeltaGenerator | None = None,
    on_change: Callable[[], None] | None = None,
    **shown: Any,  # noqa: ANN401 - what st.number_input takes beside
) -> Any:  # noqa: ANN401 - of the kind of its bounds; None where the field may be empty and is
    """Draw a field for a number from ``low`` to ``high`` and return what it holds.

    Args:
        label: above the field.
        low: the least possible; None for no bound.
        high: the most possible; None for no bound.
        value: to begin with, where the session holds none and it may not be empty; None begins with the least.
        key: of the widget.
        step: of its buttons, of the kind of the numbers.
        empty: what an empty field says; None where it may not be empty.
        place: where to draw it; nothing means here.
        on_change: called when the number was changed, after a correction.
        shown: what ``st.number_input`` takes beside these.
    """
    place = place or st.container(gap="xxsmall")
    if empty is not None:
        shown["value"] = None
    elif key not in st.session_state:  # not as "value": a browser takes another one, of a later redraw, for typed
        st.session_state[key] = low if value is None else value
    shown |= {"key": key, "step": step, "placeholder": empty, "on_change": _correct}
    held = place.number_input(label, args=(key, low, high, on_change), **shown)
    corrected = st.session_state.get(CORRECTED, {}).get(key)
    if corrected is not None and corrected[0] == held:
        place.caption(f":orange[{corrected[1]}]")
    return held


def meant(pressed: bool) -> bool:  # noqa: FBT001 - it stands around a button
    """Tell whether a button was pressed with all numbers seen; say so where one was corrected just before the press."""
    if pressed and time.monotonic() - st.session_state.get(WHEN, -UNREAD_SECONDS) < UNREAD_SECONDS:
        st.toast(PRESS_AGAIN, icon=":material/edit:")  # it outlives a redraw
        return False
    return pressed


def _correct(key: str, low: float | None, high: float | None, on_change: Callable[[], None] | None) -> None:
    """Put the nearest possible number into a field that holds another, and keep a sentence that says so."""
    typed = st.session_state[key]
    words = st.session_state.setdefault(CORRECTED, {})
    words.pop(key, None)
    if typed is not None and low is not None and typed < low:
        words[key] = (low, f"{typed:g} is less than {low:g}, the least possible: {low:g} is taken.")
    elif typed is not None and high is not None and typed > high:
        words[key] = (high, f"{typed:g} is more than {high:g}, the most possible: {high:g} is taken.")
    if key in words:
        st.session_state[key], st.session_state[WHEN] = words[key][0], time.monotonic()
    if on_change is not None:
        on_change()
