from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from ui.shell.follow import progress_of
from zspag_core.jobs import Lane, State


def following():
    import streamlit as st

    from ui.shell.follow import follow
    from ui.shell.jobs import job_store

    runs = st.session_state.get("runs", 0) + 1
    st.session_state["runs"] = runs
    follow(job_store().require(st.session_state["id"]), lambda now: st.markdown(now.state))


def waiting_for_all():
    import streamlit as st

    from ui.shell.follow import follow_all
    from ui.shell.jobs import job_store

    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    follow_all(
        lambda: [job_store().require(name) for name in st.session_state["ids"]],
        lambda jobs: st.markdown(", ".join(job.state for job in jobs)),
    )


def later_task():
    import streamlit as st

    from ui.shell.follow import task_line
    from ui.shell.jobs import job_store

    under_way = task_line(job_store().get(st.session_state["id"]), "Grading the run", "grade", "A")
    st.markdown(f"under way: {under_way}")


@pytest.fixture
def end(store):
    """Let the worker take the oldest job and end it."""

    def end(state=State.DONE, **ending):
        store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")
        store.finish(store.claim(Lane.RUNS, "w", "cpu"), state, **ending)

    return end


def open_with(script, **state):
    page = AppTest.from_function(script)
    for name, value in state.items():
        page.session_state[name] = value
    return page.run()


def shown(page):
    return [part.value for part in page.markdown]


def test_a_job_is_drawn_as_it_is_now_and_once_it_is_over(store, end):
    job = store.submit("unlearn", {"forget": [3]})
    page = open_with(following, id=job.id)
    assert shown(page) == ["queued"]
    end()
    assert shown(page.run()) == ["done"]
    assert page.session_state["runs"] == 2


def test_a_job_that_is_being_cancelled_is_waited_for_a_moment(store, monkeypatch):
    store.submit("unlearn", {"forget": [3]})
    store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")
    job = store.claim(Lane.RUNS, "w", "cpu")
    store.cancel(job.id)
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _seconds: store.finish(job, State.CANCELLED))
    monkeypatch.setattr("ui.shell.follow.time", clock)  # while the page waits, the worker ends the job
    page = open_with(following, id=job.id)
    assert shown(page) == ["cancelled"]
    assert page.session_state["runs"] == 2, "the page is drawn anew at once"


def test_several_jobs_are_said_while_one_of_them_is_active(store, end):
    jobs = [store.submit("unlearn", {"forget": [k]}) for k in (3, 4)]
    page = open_with(waiting_for_all, ids=[job.id for job in jobs])
    assert shown(page) == ["queued, queued"]
    end()
    assert shown(page.run()) == ["done, queued"]
    end()
    assert shown(page.run()) == []


@pytest.mark.slow
def test_a_task_asked_for_later_can_be_cancelled_and_tried_again(store, end):
    assert shown(open_with(later_task, id="nothing")) == ["under way: False"]
    job = store.submit("grade", {"run": "x"})
    page = open_with(later_task, id=job.id)
    assert shown(page) == ["under way: True"]
    page.button(key="grade-cancel-A").click().run()
    assert store.require(job.id).state == State.CANCELLED
    assert shown(page) == ["under way: False"]
    again = store.submit("grade", {"run": "y"})
    end(State.FAILED, error="no such data")
    page = open_with(later_task, id=again.id)
    assert page.warning[0].value == "Grading the run did not work out: no such data"
    page.button(key="grade-again-A").click().run()
    assert store.require(again.id).state == State.QUEUED


def test_progress_says_the_stage_and_its_share(make_job, store):
    job = make_job(state=State.RUNNING, progress={"stage": "proxies", "done": 1500, "total": 3000})
    assert progress_of(job) == ("Proxies: 1,500 of 3,000", 0.5)
    queued = store.submit("unlearn", {"forget": [3]})
    assert progress_of(queued) == ("The worker is starting: about five seconds", 0.0)
