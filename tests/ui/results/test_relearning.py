from __future__ import annotations

import pytest

from ui.results.relearning import KIND, asked, with_relearning
from zspag_core.jobs import Lane, State

COUNTED = {"before": {"steps": 4, "reached": True}, "after": {"steps": 500, "reached": False}}


@pytest.fixture
def answer(store):
    """Let the worker end the question about a run."""

    def answer(job, state=State.DONE):
        store.submit(KIND, {"run": job.id})
        store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")
        store.finish(store.claim(Lane.RUNS, "w", "cpu"), state, answer=COUNTED if state == State.DONE else None)

    return answer


@pytest.fixture
def bare(make_record):
    """A result without relearning."""
    result = make_record()
    result["before"]["relearning"] = result["after"]["relearning"] = None
    return result


def test_steps_counted_later_are_added(store, answer, make_job, bare):
    job = make_job(state=State.DONE)
    assert with_relearning(job, bare) is bare, "nobody has asked"
    answer(job)
    found = with_relearning(job, bare)
    assert (found["before"]["relearning"], found["after"]["relearning"]) == (COUNTED["before"], COUNTED["after"])
    assert bare["after"]["relearning"] is None, "the record itself is as it was"


def test_steps_of_the_run_itself_stand(store, answer, make_job, make_record):
    job, result = make_job(state=State.DONE), make_record()
    answer(job)
    assert with_relearning(job, result) is result


def test_stopped_run_has_none(store, make_job, make_record):
    result = make_record(cancelled=True)
    assert with_relearning(make_job(), result) is result


@pytest.mark.parametrize(("state", "known"), [(State.CANCELLED, False), (State.FAILED, True)])
def test_failure_is_told_and_a_cancelled_question_can_be_asked_again(store, answer, make_job, bare, state, known):
    job = make_job(state=State.DONE)
    answer(job, state)
    assert (asked(job) is not None) == known
    assert with_relearning(job, bare) is bare
