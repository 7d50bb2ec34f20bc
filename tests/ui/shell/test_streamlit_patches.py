"""What Streamlit's server is asked for, and what it passes over."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import RerunData, ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequests, ScriptRequestType

from ui.shell import streamlit_patches

HERE, LEFT = "the page that is shown", "the page that was left"
GUARDED = {AppSession: "request_rerun", ScriptRunner: "_run_script"}


@pytest.fixture
def answered(monkeypatch):
    """Return what an untouched server answered, in order; the guards are put before it anew."""
    found = []
    for owner, name in GUARDED.items():
        monkeypatch.setattr(owner, name, lambda _self, asked: found.append(asked))
    streamlit_patches.leave_out_late_requests()
    return found


def on_page(began, told=""):
    """Return what stands for a session or its runner: the page whose script began last, the page it was told of."""
    return SimpleNamespace(_pages_manager=SimpleNamespace(intended_page_script_hash=began), page_script_hash=told)


def test_a_session_is_on_the_page_that_began_last():
    assert streamlit_patches.page_of(on_page(began=HERE, told=LEFT)) == HERE
    assert streamlit_patches.page_of(on_page(began="", told=HERE)) == HERE  # the first page is asked for by its name


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
    AppSession.request_rerun(on_page(began=HERE, told=LEFT), state)
    assert answered == ([state] if heard else [])


@pytest.mark.parametrize(
    ("data", "began", "carried_out"),
    [
        (RerunData(page_script_hash=LEFT, fragment_id_queue=["f"], is_auto_rerun=True), HERE, False),
        (RerunData(page_script_hash=HERE, fragment_id_queue=["f"], is_auto_rerun=True), HERE, True),
        (RerunData(page_script_hash=LEFT, fragment_id_queue=["f"], is_auto_rerun=True), "", True),
        (RerunData(page_script_hash=LEFT), HERE, True),
        (RerunData(page_script_hash=LEFT, is_auto_rerun=True), HERE, True),  # a visitor's click, merged with a part's
    ],
)
def test_what_waited_for_another_page_is_not_carried_out(answered, data, began, carried_out):
    ScriptRunner._run_script(on_page(began), data)
    assert answered == ([data] if carried_out else [])


def test_the_guards_are_put_up_once(answered):
    guards = [getattr(owner, name) for owner, name in GUARDED.items()]
    streamlit_patches.leave_out_late_requests()
    assert [getattr(owner, name) for owner, name in GUARDED.items()] == guards


@pytest.mark.parametrize(
    ("asked", "meant"), [("forget", "Forget"), ("Forget", "Forget"), ("FORGET", "Forget"), ("other", "other"), ("", "")]
)
def test_pages_are_known_in_small_letters_too(monkeypatch, asked, meant):
    heard = []
    monkeypatch.setattr(PagesManager, "set_script_intent", lambda _self, _hash, name: heard.append(name))
    streamlit_patches.forgive_case(["Forget", "Results"])
    streamlit_patches.forgive_case(["Forget", "Results"])  # once is enough
    PagesManager.set_script_intent(None, "", asked)
    assert heard == [meant]


@pytest.mark.parametrize(("state", "at_once"), [(None, True), ("CONTINUE", True), ("RERUN", True), ("STOP", False)])
def test_a_request_waits_for_what_a_stopped_run_said_at_its_end(answered, state, at_once):
    streamlit_patches.let_runs_end_first()
    streamlit_patches.let_runs_end_first()  # once is enough
    streamlit_patches.leave_out_late_requests()
    session, waiting = on_page(began=HERE), []
    session._event_loop = SimpleNamespace(call_soon=lambda *what: waiting.append(what))
    requests = SimpleNamespace(_state=None if state is None else ScriptRequestType[state])
    session._scriptrunner = None if state is None else SimpleNamespace(_requests=requests)
    asked = ClientState(page_script_hash=HERE, fragment_id="f", is_auto_rerun=True)
    AppSession.request_rerun(session, asked)
    assert answered == ([asked] if at_once else [])
    for call, *given in waiting:
        call(*given)
    assert answered == [asked]


@pytest.mark.parametrize(("patched", "told"), [(False, "nothing"), (True, "the end")])
def test_the_end_of_a_run_is_told_before_another_runner_takes_over(monkeypatch, patched, told):
    """A run has stopped, its end waits in the event loop, and a part asks to be drawn."""
    heard, waiting = [], []
    old = SimpleNamespace(_requests=ScriptRequests())
    assert old._requests.on_scriptrunner_ready().type == ScriptRequestType.STOP
    session = on_page(began=HERE)
    session._scriptrunner = old
    session._event_loop = SimpleNamespace(call_soon=lambda *what: waiting.append(what))

    def take_over(self, _asked):
        assert not old._requests.request_rerun(RerunData()), "a runner that has stopped takes nothing"
        self._scriptrunner = SimpleNamespace(_requests=ScriptRequests())

    monkeypatch.setattr(AppSession, "request_rerun", take_over)
    if patched:
        streamlit_patches.let_runs_end_first()
    session._event_loop.call_soon(lambda: heard.append("the end" if session._scriptrunner is old else "nothing"))
    AppSession.request_rerun(session, ClientState(page_script_hash=HERE, fragment_id="f"))
    for call, *given in waiting:
        call(*given)
    assert heard == [told]
    assert session._scriptrunner is not old
