"""A row of buttons of which exactly one is pressed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Sequence


def one_of(title: str, options: Mapping[str, str] | Sequence[str], *, key: str, start: str = "", **how: Any) -> str:  # noqa: ANN401 - Streamlit's
    """Draw the buttons and return the option that is pressed.

    Args:
        title: what is chosen.
        options: what can be chosen, with what each button says where that is something else.
        key: of the widget.
        start: the option pressed at first; the first one when empty.
        how: further arguments of `st.segmented_control`.
    """
    names = list(options)
    words = options if isinstance(options, Mapping) else dict(zip(names, names, strict=True))
    pressed: str = st.segmented_control(
        title, names, default=start or names[0], required=True, format_func=words.get, key=key, **how
    )
    return pressed
