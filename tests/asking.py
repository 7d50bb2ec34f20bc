"""Jobs for tests that carry a task out without a queue, and a reporter that remembers."""

from __future__ import annotations

from pathlib import Path

from zspag_core.errors import Cancelled
from zspag_core.jobs import Command, Job, State
from zspag_core.progress import Reporter


class Recorder(Reporter):
    """Remembers the stages that it is told of; cancels once more than `patience` of one is done."""

    def __init__(self, patience=10**9):
        self.stages, self.patience = set(), patience

    def progress(self, stage, done, total, **figures):
        self.stages.add(stage)
        if done > self.patience:
            raise Cancelled("enough")


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
