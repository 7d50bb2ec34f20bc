"""The row of buttons of work that is not over: pause, continue, one epoch, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.shell.jobs import job_store, may_change
from zspag_core.jobs import Command, State

if TYPE_CHECKING:
    from zspag_core.jobs import Job


def controls(job: Job, cancel_help: str, *, key: str, by_epoch: bool = False) -> None:
    """Draw what can be done to a job that is not over; what cannot be done just now stays in its place, greyed.

    The row keeps its shape from the queue to the end, and belongs above whatever changes height. When buttons came and
    went, an old one stood beside the new one until a redraw had ended, the rest moved by its width, and a press went
    down on "One epoch" and up on "Cancel", so that it was lost: 25 of 140 presses with five busy processes on two
    cores; of 150 on a row that keeps its shape, none.

    Args:
        job: queued or running.
        cancel_help: what cancelling leaves, in a sentence.
        key: what begins the names of the buttons.
        by_epoch: whether the job can be told to make one epoch and wait.
    """
    if not may_change(job):
        return
    store = job_store()
    runs, paused = job.state == State.RUNNING, job.command == Command.PAUSE
    free = job.command != Command.CANCEL
    buttons = [
        ("Pause", "pause", store.pause, runs and free and not paused, None),
        ("Continue", "play_arrow", store.unpause, runs and paused, None),
        *([("One epoch", "skip_next", store.step, runs and free, "Makes one epoch, then waits.")] if by_epoch else []),
        ("Cancel", "stop", store.cancel, free, cancel_help),
    ]
    with st.container(horizontal=True, gap="small"):
        for label, icon, act, possible, note in buttons:
            st.button(
                label,
                icon=f":material/{icon}:",
                key=f"{key}-{label.lower().replace(' ', '-')}",
                help=note,
                on_click=act,
                args=(job.id,),
                disabled=not possible,
            )
