"""That a missing model is said is tested on the Forget page, which a link leads away from."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from zspag_core.jobs import Lane, State


def script():
    import streamlit as st

    from ui.shell import gate

    choice = gate.chosen()
    if choice is not None:
        _, engine = gate.ask_about(choice)
        if gate.engine_ready(engine, "methods"):
            st.markdown(f"ready: {engine.answer}")


@pytest.fixture
def answer(store):
    """Let the worker end every question that waits; return how many there were."""

    def answer(state, **ending):
        store.heartbeats.beat("w", "worker", (Lane.INTERACTIVE,), "cpu")
        count = 0
        while (job := store.claim(Lane.INTERACTIVE, "w", "cpu")) is not None:
            store.finish(job, state, **ending)
            count += 1
        return count

    return answer


def test_a_form_waits_for_the_engine(store, answer):
    page = AppTest.from_function(script).run()
    assert page.caption[0].value == "The engine is starting: its methods appear here in about five seconds."
    assert answer(State.DONE, answer={"methods": []}) == 2, "about the data, and about the engine"
    assert page.run().markdown[0].value == "ready: {'methods': []}"


def test_an_engine_that_does_not_start_says_why(store, answer):
    page = AppTest.from_function(script).run()
    answer(State.FAILED, error="no torch here")
    assert page.run().error[0].value == "The engine does not start. no torch here"
