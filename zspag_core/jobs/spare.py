"""What a worker does while no run waits: it makes ahead what a person who looks at a form may soon ask for.

A form that has come to rest leaves a wish, a job of the queue `SPARE`. Where its run is asked for meanwhile, the worker
takes the run at once and tells it how far the work is, which goes on; for any other it is dropped.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeAlias

from zspag_core.errors import Cancelled, ZspagError
from zspag_core.jobs.records import SPARE, Command, Lane, State
from zspag_core.progress import Reporter

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    from zspag_core.jobs.performance import Performance
    from zspag_core.jobs.records import Job
    from zspag_core.jobs.store import JobStore

    Make: TypeAlias = Callable[[Mapping[str, Any], Reporter], None]

LANE, KIND = Lane.RUNS, "unlearn"
"""The queue, and the kind of job, that work is made ahead for."""
PUT_OFF = "before"
"""The stage of the original's grade, which a run that has been asked for makes when its method has ended."""
OTHERS = (Lane.INTERACTIVE, Lane.MAPS, Lane.SWEEPS, Lane.TRIALS)
"""What somebody waits for: it keeps the processor for itself."""
REST_SECONDS = 1.0
"""So long a form must have been left alone."""
OLD_SECONDS = 600.0
LOOK_SECONDS, YIELD_SECONDS, WRITE_SECONDS = 0.5, 0.05, 0.5


class SpareTime:
    """The time of one worker in which no run waits."""

    def __init__(
        self,
        store: JobStore,
        worker: str,
        device: str,
        stopping: threading.Event,
        begin: Callable[[Job], Performance],
        make: Make | None = None,
    ) -> None:
        """Prepare to use it.

        Args:
            store: the database, patient where it is busy.
            worker: name of the process.
            device: where it computes.
            stopping: set when the process is to end.
            begin: takes a run that this worker has claimed; it is carried out afterwards.
            make: makes ahead what the run of a config would be waited for; None is
                :func:`zspag_core.tasks.ahead.make_ahead`.
        """
        self.store, self.stopping, self.begin = store, stopping, begin
        self._worker, self._device, self._make = worker, device, make or _make_ahead
        self._looked = 0.0

    def use(self) -> Performance | None:
        """Fulfil the newest wish, if there is one and nobody waits for anything; return the run that it became."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return None
        self._looked = time.monotonic()
        wishes = self.store.waiting(SPARE)
        wish = None if not wishes or self.others_wait() else self._newest(wishes)
        return None if wish is None else self._fulfil(wish)

    def make(self, config: Mapping[str, Any], wish: Job | None = None) -> Performance | None:
        """Make ahead what the run of a config would be waited for; return that run where it was asked for meanwhile.

        Raises:
            Cancelled: there was something better to do.
            ZspagError: the run would be impossible.
        """
        told = _Unasked(self, config, wish)
        try:
            self._make(config, told)
        except Exception:
            if told.run is None:
                raise  # else the run, which begins with the same, will say so itself
        return told.run

    def others_wait(self) -> bool:
        """Tell whether somebody waits for work that is no run."""
        return self.store.active(*OTHERS) > 0

    def next_run(self) -> Job | None:
        """Return the run whose turn it is on this device, None where none waits."""
        return self.store.next(LANE, self._device)

    def claim(self, job: Job) -> Performance | None:
        """Take a run before its work is done; None where somebody else was quicker."""
        taken = self.store.claim(LANE, self._worker, self._device, only=job.id)
        return None if taken is None else self.begin(taken)

    def _newest(self, wishes: Sequence[str]) -> Job | None:
        """Claim the newest wish that has stood for a moment; those that nobody looks at any more are dropped."""
        now = self.store.now()
        for name in reversed(wishes):
            wish = self.store.get(name)
            age = 0.0 if wish is None else now - wish.created
            if age > OLD_SECONDS:
                self.store.cancel(name)
            elif age >= REST_SECONDS:
                return self.store.claim(SPARE, self._worker, self._device, only=name)
        return None

    def _fulfil(self, wish: Job) -> Performance | None:
        """Make what is wished for; however that ends, the database says so."""
        try:
            run = self.make(wish.config, wish)
        except Cancelled as reason:
            self.store.finish(wish, State.CANCELLED, error=str(reason))
        except ZspagError as error:  # the run would say the same, if it were asked for
            self.store.finish(wish, State.FAILED, error=str(error))
        except Exception:
            self.store.finish(wish, State.FAILED)
            raise
        else:
            self.store.finish(wish, State.DONE)
            return run
        return None


class _Unasked(Reporter):
    """Hears of work that nobody has asked for, and says when there is something better to do."""

    def __init__(self, spare: SpareTime, config: Mapping[str, Any], wish: Job | None) -> None:
        """Listen.

        Args:
            spare: whose time is used.
            config: of the run that may come.
            wish: who wishes for it; None where nobody does.
        """
        self.run: Performance | None = None
        self._spare, self._config, self._wish = spare, config, wish
        self._looked = self._written = time.monotonic()

    def progress(self, stage: str, done: int, total: int, **figures: float) -> None:
        """Tell the run, where it has been asked for; raise Cancelled where another run waits or nobody wishes any more.

        While a short task is under way this waits for its end.
        """
        if self.run is None and time.monotonic() - self._looked > YIELD_SECONDS:
            self._look({"stage": stage, "done": done, "first": 0, "total": total, "figures": {}, "seconds": {}})
            self._looked = time.monotonic()
        if self.run is not None:
            if stage == PUT_OFF:
                raise Cancelled("the run goes on by itself")
            self.run.report.progress(stage, done, total, **figures)

    def _look(self, progress: Mapping[str, Any]) -> None:
        """Look whether the work shall go on, and wait while somebody waits for something else."""
        spare, pause = self._spare, YIELD_SECONDS
        while True:
            if spare.stopping.is_set():
                raise Cancelled("the worker is to end")
            if (job := spare.next_run()) is not None:
                self._become(job)
                return
            self._write(progress)
            if not spare.others_wait():
                return
            spare.stopping.wait(pause)
            pause = min(2 * pause, LOOK_SECONDS)  # a sweep may take hours

    def _write(self, progress: Mapping[str, Any]) -> None:
        """Write down now and then how far a wish is, and hear whether it is still one."""
        if self._wish is None or time.monotonic() - self._written < WRITE_SECONDS:
            return
        self._written = time.monotonic()
        if self._spare.store.advance(self._wish, progress) != Command.NONE:
            raise Cancelled("nobody wishes it any more")

    def _become(self, job: Job) -> None:
        """Go on as a run that waits, if it begins with the same work."""
        from zspag_core.tasks.ahead import begin_alike

        if job.kind == KIND and begin_alike(self._config, job.config):
            self.run = self._spare.claim(job)
        else:
            raise Cancelled("a job waits")


def _make_ahead(config: Mapping[str, Any], report: Reporter) -> None:
    from zspag_core.tasks.ahead import make_ahead  # torch: not before it is needed

    make_ahead(config, report)
