"""One job under way: who is told, how it is cancelled, how it ends."""

from __future__ import annotations

import contextlib
import threading
import traceback
from typing import TYPE_CHECKING

import sqlalchemy.orm  # noqa: F401 - for Optuna; imported while other threads ask the database, it breaks their requests
from sqlalchemy.exc import SQLAlchemyError

from zspag_core.errors import Cancelled, ZspagError
from zspag_core.faults import fault_words
from zspag_core.jobs.patience import patient
from zspag_core.jobs.records import UNEXPECTED, Command, State
from zspag_core.jobs.reporter import JobReporter
from zspag_core.tasks.table import find_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from zspag_core.jobs.records import Job
    from zspag_core.jobs.store import JobStore
    from zspag_core.tasks.table import Task

CANCEL_SECONDS, CANCEL_LOOKS = 0.4, 2


class Performance:
    """A job that this process has claimed, from then to its end.

    Attributes:
        job: as it was claimed.
        report: writes down how far its work is; from the beginning, also where work for it was begun before it.
    """

    def __init__(self, store: JobStore, job: Job, stopping: threading.Event) -> None:
        """Begin; from now on a person can cancel it.

        Args:
            store: the database.
            job: claimed.
            stopping: set when the whole worker must end.
        """
        self.job, self._store, self._lasting = job, store, patient(store, stopping)
        self.report = JobReporter(self._lasting, job, stopping)
        self._ended = threading.Event()
        threading.Thread(target=self._cancel_promptly, daemon=True).start()

    def carry_out(self, find: Callable[[str], Task] = find_task) -> None:
        """Do the work; however it ends, the database says so, as soon as it can be written.

        Args:
            find: turns the name of a task into the task.
        """
        job, lasting = self.job, self._lasting
        try:
            answer = find(job.kind)(job, self.report)
            if self.report.stopped:
                raise Cancelled("The task returned what it had.")
            lasting.finish(job, State.DONE, answer=answer)
        except Cancelled:
            self._end_early()
        except ZspagError as error:
            lasting.finish(job, State.FAILED, error=str(error), details=traceback.format_exc())
        except Exception as error:
            unexpected = f"{UNEXPECTED}{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
            sentence = fault_words(error) or unexpected
            lasting.finish(job, State.FAILED, error=sentence, details=traceback.format_exc())
        finally:
            self._ended.set()

    def _cancel_promptly(self) -> None:
        """Say that a job is cancelled soon after a person asked for it, also while its work is deep in one long step.

        The work itself ends at its next report; until then the lane is taken, but nothing that it says is written down.
        """
        asked = 0
        with contextlib.suppress(SQLAlchemyError):  # the database is away for a moment: the next report will do
            while asked < CANCEL_LOOKS and not self._ended.wait(CANCEL_SECONDS / CANCEL_LOOKS):
                now = self._store.get(self.job.id)
                if now is None or now.state != State.RUNNING or now.worker != self.job.worker:
                    return
                asked = asked + 1 if now.command == Command.CANCEL else 0
            if not self._ended.is_set():
                self._store.finish(self.job, State.CANCELLED)

    def _end_early(self) -> None:
        """Say whether a person cancelled the job or its worker was stopped."""
        now = self._lasting.get(self.job.id)
        if now is not None and now.command == Command.CANCEL:
            self._lasting.finish(self.job, State.CANCELLED)
        else:
            self._lasting.finish(self.job, State.INTERRUPTED, error="The worker was stopped during this run.")


def perform(store: JobStore, job: Job, stopping: threading.Event, find: Callable[[str], Task] = find_task) -> None:
    """Carry out one claimed job, from its beginning to its end."""
    Performance(store, job, stopping).carry_out(find)
