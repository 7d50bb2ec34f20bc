"""Relearning of runs that left it out: the question to the worker, its answer, and what is drawn meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.shell.follow import task_line
from ui.shell.jobs import job_store, may_change
from ui.shell.ungraded import lacks_of
from zspag_core.jobs import Job, Lane, State

if TYPE_CHECKING:
    from collections.abc import Mapping

KIND = "relearning"


def with_relearning(job: Job, result: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a run's record with the steps of relearning that were counted later, where there are some."""
    after = result.get("after")
    if not after or after.get("relearning"):
        return result
    counted = asked(job)
    if counted is None or counted.state != State.DONE:
        return result
    return {**result} | {when: {**result[when], "relearning": counted.answer[when]} for when in ("before", "after")}


def asked(job: Job) -> Job | None:
    """Return the task that counts a run's steps, None if nobody has asked for it or it was cancelled."""
    found = job_store().recall(KIND, {"run": job.id})
    return None if found is None or found.state == State.CANCELLED else found


def relearning_line(job: Job, result: Mapping[str, Any], letter: str) -> None:
    """Offer to count the steps of relearning where the run did not, or say how far that is."""
    after = result.get("after")
    if not after or after.get("relearning") or "forget_test" in lacks_of(result):
        return
    task = asked(job)
    if task is None and not may_change(job):
        return
    if task is None:
        st.button(
            "Count the steps of relearning",
            key=f"relearn-{letter}",
            icon=":material/replay:",
            on_click=_submit,
            args=(job,),
            help="How soon does the class come back? Up to 500 steps of training for each of the two models.",
        )
    else:
        task_line(task, "Counting the steps of relearning", "relearn", letter)


def _submit(job: Job) -> None:
    """Queue the task; it waits its turn with the runs, for it may take minutes."""
    job_store().submit(KIND, {"run": job.id}, lane=Lane.RUNS, device=job.device)
