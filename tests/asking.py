"""Jobs for tests that carry a task out without a queue."""

from __future__ import annotations

from pathlib import Path

from zspag_core.jobs import Command, Job, State


def job_for(config, device="auto", kind="task"):
    """Return a running job that asks for this."""
    return Job(
        id="0" * 24,
        number=1,
        kind=kind,
        lane="interactive",
        config=config,
        device=device,
        state=State.RUNNING,
        command=Command.NONE,
        worker="w",
        created=0.0,
        started=0.0,
        finished=None,
        progress={},
        answer=None,
        error="",
        details="",
        folder=Path("nowhere"),
    )
