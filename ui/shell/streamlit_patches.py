"""All that changes Streamlit itself (1.67): its private classes are touched here and nowhere else.

* Requests of pages that were left: streamlit/streamlit#9617 mended them for links, not for `st.switch_page`.
* Ends of runs that are not told: a comment in `AppSession.request_rerun` says that it may happen; no report of it was
  found.
* Addresses in small letters: no report of it was found; streamlit/streamlit#8607 is about case in `st.switch_page`.

Each goes away once Streamlit does the same; the browser tests on a slow line and with `/forget` tell.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from streamlit.runtime.app_session import AppSession
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

MARK, LAST = "put_up_by_us", "ends_first"


def leave_out_late_requests() -> None:
    """Let the server pass over such requests; to be called by every page, done once.

    A part that is drawn again by itself goes on asking until the browser hears that `st.switch_page` took the visitor
    elsewhere. Streamlit 1.67 answers for the page that was left: the browser believes to be back there, clears the new
    page, and breaks off ("Bad delta path index"). Over a line with 0.5 s each way one click on the Overview's demo
    ended so every time. Links are safe: there the browser itself stops asking (streamlit/streamlit#9617).

    They are left out twice: as they come, so that none is merged with what a visitor asks, and before they are carried
    out: one that comes while the script is being switched waits until the new page's script has ended. (What a visitor
    asked before such a request is merged with it, and is no part's any more; it is carried out.)
    """
    _guard(AppSession, "request_rerun", lambda session, asked: asked is not None and _late(asked, page_of(session)))
    _guard(
        ScriptRunner, "_run_script", lambda runner, data: bool(data.fragment_id_queue) and _late(data, _begun(runner))
    )


def let_runs_end_first() -> None:
    """Let what a run said at its end reach the visitor before the next one begins; to be called by every page, once.

    Streamlit 1.67 makes a new runner for a request that comes when the last one has just stopped, and from then on
    passes over what the old one said, its end included, if the event loop was too busy to hand that on yet. The visitor
    then never hears that the page is whole: what the page before had drawn stays, and the page seems to go on. A part
    that every page has and that is drawn again by itself brings it about: of thirty visitors who hurried over the
    pages of a busy server, 73 of 2,600 pages ended so. Here such a request takes its turn after what waits.
    """
    answer = AppSession.request_rerun
    if hasattr(answer, LAST):
        return

    @wraps(answer)
    def patient(self: AppSession, asked: Any) -> None:  # noqa: ANN401 - a protobuf message
        runner = self._scriptrunner
        if runner is not None and runner._requests._state == ScriptRequestType.STOP:
            self._event_loop.call_soon(answer, self, asked)
        else:
            answer(self, asked)

    setattr(patient, LAST, True)
    AppSession.request_rerun = patient  # type: ignore[method-assign]


def forgive_case(names: Collection[str]) -> None:
    """Let an address name a page in other letters, /forget for /Forget; to be called by every page, done once.

    Streamlit 1.67 compares exactly, shows "Page not found" and runs the entry page. The first visitor of a server may
    still see that: no page of ours has run before.

    Args:
        names: of the pages, as addresses have them.
    """
    exact, answer = {name.lower(): name for name in names}, PagesManager.set_script_intent
    if hasattr(answer, MARK):
        return

    @wraps(answer)
    def forgiving(self: PagesManager, page_script_hash: str, page_name: str) -> None:
        answer(self, page_script_hash, exact.get((page_name or "").lower(), page_name))

    setattr(forgiving, MARK, True)
    PagesManager.set_script_intent = forgiving  # type: ignore[method-assign]


def page_of(session: AppSession) -> str:
    """Return the page that a session is on: the one whose script began last, also where nobody was told of it yet."""
    return _begun(session) or session.page_script_hash


def _begun(owner: AppSession | ScriptRunner) -> str:
    """Return the page whose script began last; empty for a session's first, which is asked for by its name."""
    return owner._pages_manager.intended_page_script_hash or ""


def _late(asked: Any, page: str) -> bool:  # noqa: ANN401 - a protobuf message, or what Streamlit makes of it
    """Tell whether a part asks by itself for another page than the session is on."""
    return bool(asked.is_auto_rerun and asked.page_script_hash and page and asked.page_script_hash != page)


def _guard(owner: type, name: str, is_late: Callable[[Any, Any], bool]) -> None:
    """Make a method of Streamlit's, which takes one request, pass over those that come too late; once."""
    answer = getattr(owner, name)
    if hasattr(answer, MARK):
        return

    @wraps(answer)
    def guarded(self: Any, asked: Any) -> None:  # noqa: ANN401 - an object of `owner`, and its request
        if not is_late(self, asked):
            answer(self, asked)

    setattr(guarded, MARK, True)
    setattr(owner, name, guarded)
