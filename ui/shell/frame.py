"""What every page shares: browser title, sidebar with the glossary, heading, story strip."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pandas as pd
import streamlit as st

from ui.shell.class_bar import attend, class_line, look_at_class, read_only_line
from ui.shell.jobs import current_run, worker_keeper, worker_ready
from ui.shell.presenting import STYLE as PRESENT_STYLE
from ui.shell.presenting import presenting, way_out
from ui.shell.refusals import say_refusals
from ui.shell.streamlit_fragments import redrawn
from ui.shell.streamlit_patches import forgive_case, leave_out_late_requests, let_runs_end_first
from ui.shell.strip import story_strip
from ui.shell.words import GLOSSARY
from zspag_core.jobs import Lane
from zspag_core.shipped import ASSETS

if TYPE_CHECKING:
    from zspag_core.jobs import Job

IMPORTED_FIRST = (pd,)
"""Plotly takes a pandas that another visitor's page is just importing for whole; here everybody waits for it."""
PAGES = {  # file -> (label, icon); the one list of pages
    "app.py": ("Overview", ":material/home:"),
    "pages/0_Playground.py": ("Playground", ":material/joystick:"),
    "pages/1_Model.py": ("Model", ":material/network_node:"),
    "pages/2_Forget.py": ("Forget", ":material/ink_eraser:"),
    "pages/3_Proxies.py": ("Proxies", ":material/scatter_plot:"),
    "pages/4_Attention.py": ("Attention", ":material/visibility:"),
    "pages/5_Results.py": ("Results", ":material/monitoring:"),
    "pages/6_Compare.py": ("Compare", ":material/compare_arrows:"),
    "pages/9_Tune.py": ("Tune", ":material/tune:"),
    "pages/7_Runs.py": ("Runs", ":material/history:"),
    "pages/8_Learn.py": ("Learn", ":material/school:"),
}
ENTRY = "app.py"
ICON = str(ASSETS / "icon.png")
STYLE = ASSETS / "style.css"
SIDEBAR_PIXELS = 220
GAPS = {
    "pages/1_Model.py": "The story of a run",
    "pages/6_Compare.py": "Compare, look back, learn",
}  # captions in the sidebar


def frame(title: str, purpose: str, *, strip: bool = True) -> Job | None:
    """Draw what every page shares and return the visitor's run; must be the first Streamlit call of a page.

    Args:
        title: of the page.
        purpose: what it is for, one sentence.
        strip: whether the visitor's run stands above; not where a page shows something of another.
    """
    say_refusals()
    leave_out_late_requests()
    let_runs_end_first()
    forgive_case([address_of(path) for path in PAGES if path != ENTRY])
    st.set_page_config(
        page_title=f"{title} · ZS-PAG", page_icon=ICON, layout="wide", initial_sidebar_state=SIDEBAR_PIXELS
    )
    st.html(STYLE)
    attend(title)
    st.logo(ICON, size="large")
    job = current_run()
    if presenting():
        st.html(PRESENT_STYLE)
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.title(title, anchor=False, width="content")
            way_out()
    else:
        with st.sidebar:
            _sidebar()
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            st.title(title, anchor=False, width="content")
            st.caption(purpose, width="content")
        if strip:
            story_strip()
    read_only_line()
    look_at_class()
    return job


def go_to_meant_page() -> None:
    """Go on to the page that the address names in other letters, /forget for /Forget; for the entry page to call.

    Streamlit runs the entry page for such a name, unless `forgive_case` was called before.
    """
    name = urlsplit(str(st.context.url or "")).path.strip("/").rpartition("/")[2]
    meant = next((path for path in PAGES if path != ENTRY and address_of(path).lower() == name.lower()), None)
    if meant is not None and name != address_of(meant):
        st.switch_page(meant, query_params=st.query_params.to_dict())


def address_of(path: str) -> str:
    """Return the last part of a page's address: its file's name without number and ending."""
    return path.rpartition("/")[2].removesuffix(".py").partition("_")[2]


def _sidebar() -> None:
    """Draw the way to all pages, the worker's state and the glossary."""
    keeper = worker_keeper()
    class_line()
    with st.container(gap="xxsmall"):
        for path, (label, icon) in PAGES.items():
            if path in GAPS:
                st.caption(GAPS[path])
            st.page_link(path, label=label, icon=icon)
    _worker_line(waiting=not worker_ready(Lane.RUNS))
    if keeper.trouble:
        st.error(keeper.trouble)
    with st.expander("Glossary", icon=":material/menu_book:"):
        st.markdown("\n\n".join(f"**{term}**  \n{sentence}" for term, sentence in GLOSSARY.items()))


def _worker_line(*, waiting: bool) -> None:
    """Say whether there is someone who computes; while there is not, look again every second."""

    @redrawn(1.0 if waiting else None)
    def line() -> None:
        ready = worker_ready(Lane.RUNS)
        if waiting and ready:
            st.rerun()  # from now on nobody looks every second
        st.caption(":green[●] Worker ready" if ready else ":orange[●] Worker starting, about five seconds")

    line()
