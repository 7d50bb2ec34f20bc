"""Parts of a page that are drawn again by themselves, or when something in them is touched, without the rest."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")


def redrawn(every: float | None = None) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Make a function such a part: `st.fragment`, alone in a container of the page's.

    When a fragment runs again before the browser has been sent what the page's run drew of it, that is dropped: the
    browser takes the fragment's old place away, its later neighbours move up by one, and the fragment is then drawn
    over the first of them (Streamlit 1.67; streamlit/streamlit#16705 names the mechanism). On a busy machine this
    took away the card of a cancelled run in 4 of 7 trials. Alone in its container a fragment has no neighbours.

    A page that draws fragments must come to its end: after "st.stop" Streamlit 1.67 still knows those that the page no
    longer draws. A request for one, sent before the browser knew better, is then answered into a place that is gone,
    and the browser shows an empty page ("Cannot set a node at a delta path"). Over a line with 0.6 s each way that
    happened to the map of the proxies every time its UMAP became ready.

    Args:
        every: seconds until it is drawn again by itself; None for when it is touched only.
    """

    def decorate(draw: Callable[P, None]) -> Callable[P, None]:
        fragment = st.fragment(draw, run_every=every)

        @wraps(draw)
        def in_its_place(*args: P.args, **kwargs: P.kwargs) -> None:
            with st.container():
                fragment(*args, **kwargs)

        return in_its_place

    return decorate
