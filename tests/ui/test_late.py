"""What Streamlit's server is asked for, and what it passes over."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession

from ui import late

HERE, LEFT = "the page that is shown", "the page that was left"


@pytest.fixture
def answered(monkeypatch):
    """Return what an untouched server answered, in order; the guard is put before it anew."""
    found = []
    monkeypatch.setattr(AppSession, "request_rerun", lambda _session, state: found.append(state))
    late.leave_out_late_requests()
    return found


def session_on(began, told):
    """Return what stands for a session: the page whose script began last, and the page the server was told of."""
    return SimpleNamespace(_pages_manager=SimpleNamespace(intended_page_script_hash=began), page_script_hash=told)


def test_a_session_is_on_the_page_that_began_last():
    assert late.page_of(session_on(began=HERE, told=LEFT)) == HERE
    assert late.page_of(session_on(began="", told=HERE)) == HERE  # the first page is asked for by its name


@pytest.mark.parametrize(
    ("state", "heard"),
    [
        (ClientState(page_script_hash=LEFT, fragment_id="f", is_auto_rerun=True), False),
        (ClientState(page_script_hash=HERE, fragment_id="f", is_auto_rerun=True), True),
        (ClientState(page_script_hash="", fragment_id="f", is_auto_rerun=True), True),
        (ClientState(page_script_hash=LEFT, fragment_id="f"), True),
        (ClientState(page_script_hash=LEFT), True),
        (None, True),
    ],
)
def test_only_what_a_page_that_was_left_asks_by_itself_is_passed_over(answered, state, heard):
    AppSession.request_rerun(session_on(began=HERE, told=LEFT), state)
    assert answered == ([state] if heard else [])


def test_the_guard_is_put_up_once(answered):
    guard = AppSession.request_rerun
    late.leave_out_late_requests()
    assert AppSession.request_rerun is guard
