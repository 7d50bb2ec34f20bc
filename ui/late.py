"""Requests of the browser that come too late: a part of a page asks to be drawn again after the page was left."""

from __future__ import annotations

from functools import wraps
from typing import Any

from streamlit.runtime.app_session import AppSession

MARK = "leaves_out_late_requests"


def leave_out_late_requests() -> None:
    """Let the server pass over such requests; to be called by every page, done once.

    A part that is drawn again by itself goes on asking until the browser hears that `st.switch_page` took the visitor
    elsewhere. Streamlit 1.67 answers for the page that was left: the browser believes to be back there, clears the new
    page, and breaks off ("Bad delta path index"). Over a line with 0.5 s each way one click on the Overview's demo
    ended so every time. Links are safe: there the browser itself stops asking (streamlit/streamlit#9617).
    """
    if hasattr(AppSession.request_rerun, MARK):
        return
    answer = AppSession.request_rerun

    @wraps(answer)
    def request_rerun(session: AppSession, client_state: Any) -> None:  # noqa: ANN401 - a protobuf message
        by_itself = client_state is not None and client_state.is_auto_rerun
        if not by_itself or client_state.page_script_hash in {"", page_of(session)}:
            answer(session, client_state)

    setattr(request_rerun, MARK, True)
    AppSession.request_rerun = request_rerun  # type: ignore[method-assign]


def page_of(session: AppSession) -> str:
    """Return the page that a session is on: the one whose script began last, also where nobody was told of it yet."""
    began: str | None = session._pages_manager.intended_page_script_hash
    return began or session.page_script_hash
