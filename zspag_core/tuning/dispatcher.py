"""A sweep under way: asks the study for points, queues their runs, tells it what came of them; its only writer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from zspag_core.errors import Cancelled
from zspag_core.jobs.store import JobStore
from zspag_core.tuning import queue
from zspag_core.tuning.objectives import figures_of
from zspag_core.tuning.pace import once_of
from zspag_core.tuning.pruning import LEAST, PRUNED, Curve, curve_of, is_lost
from zspag_core.tuning.report import summarise
from zspag_core.tuning.study import Study
from zspag_core.tuning.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.jobs.records import Job
    from zspag_core.progress import Reporter
    from zspag_core.tuning.space import Value

LOOK_SECONDS = 0.2
AHEAD = 1
"""Runs that wait beside those under way, for each worker, so that none does; samplers that learn wait for what is under
way."""
RETRIES = 3
"""How often a trial is begun again whose worker was lost: more often, and it is the trial that ends workers."""
STAGE = "tune"


@dataclass
class _Open:
    """A trial that has been asked for and not told; `pruned` says after how much it was stopped as lost."""

    number: int
    point: dict[str, Value]
    runs: list[str] = field(default_factory=list)
    retries: int = 0
    pruned: str = ""


def dispatch(job: Job, report: Reporter) -> dict[str, Any]:
    """Carry a sweep out, from where an earlier dispatcher left it.

    Args:
        job: of the sweep; its config is the :class:`Sweep`.
        report: receives how many trials have ended; when it cancels, the runs under way are stopped, nothing is lost.

    Returns:
        What :func:`zspag_core.tuning.report.summarise` says.

    Raises:
        Cancelled: the reporter cancelled.
    """
    store = JobStore()
    study = Study(job.id, Sweep.from_dict(job.config).check(), queue.database_url())
    try:
        return Dispatcher(job, store, study, report).run()
    finally:
        study.close()
        store.close()


class Dispatcher:
    """One sweep's hands: whoever calls it holds the study alone."""

    def __init__(self, job: Job, store: JobStore, study: Study, report: Reporter) -> None:
        """Take up what an earlier one left: its ended trials are told to readers again, its open ones awaited."""
        self.job, self.store, self.study, self.report = job, store, study, report
        self.sweep = Sweep.from_dict(job.config).check()
        self.rows = study.rows()
        self.open: list[_Open] = []
        self.curves: dict[int, Curve] = {}
        self.began = time.monotonic()

    def run(self) -> dict[str, Any]:
        """Go on until the budget is spent and every trial has ended."""
        for row in self.rows:
            queue.tell_row(self.store, self.job, row)
            self._keep_curve(row)
        try:
            for number, point in self.study.under_way():
                self._queue(number, point)
            while self.open or self._may_ask():
                self._fill()
                self._prune()
                self._gather()
                self.report.progress(STAGE, len(self.rows), self.sweep.trials)
                time.sleep(LOOK_SECONDS)
        except Cancelled:
            queue.stop_runs(self.store, [run for trial in self.open for run in trial.runs])
            raise
        return summarise(self.sweep, self.rows, self.job.config) | {"importance": self.study.importance()}

    def _may_ask(self) -> bool:
        """Tell whether the budget has room for another point."""
        over = self.sweep.minutes and time.monotonic() - self.began > 60 * self.sweep.minutes
        return not over and self.study.count() < self.sweep.trials

    def _fill(self) -> None:
        """Queue as many trials as keep the workers busy."""
        ahead = AHEAD if self.sweep.sampler in {"grid", "qmc", "random"} else 0
        wanted = max(1, queue.workers(self.store)) * (1 + ahead)
        while len(self.open) < wanted and self._may_ask():
            self._queue(*self.study.ask())

    def _queue(self, number: int, point: dict[str, Value]) -> None:
        """Queue the runs of a trial, one a seed."""
        configs = [self.sweep.config_at(point, seed) for seed in self.sweep.seeds]
        runs = [queue.obtain(self.store, self.job, config).id for config in configs]
        self.open.append(_Open(number, point, runs))
        queue.tell_begun(self.store, self.job, {"number": number, "point": point, "jobs": runs})

    def _gather(self) -> None:
        """Tell of the trials whose runs have all ended."""
        for trial in list(self.open):
            runs = [self.store.require(run) for run in trial.runs]
            if any(run.active for run in runs) or self._retry(trial, runs):
                continue
            row = row_of(trial.number, trial.point, self.sweep.seeds, runs, trial.pruned)
            self.study.tell(trial.number, row)
            self.open.remove(trial)
            self.rows.append(row)
            queue.tell_row(self.store, self.job, row)
            self._keep_curve(row)

    def _prune(self) -> None:
        """Stop the runs of trials that are clearly lost, where the sweep asks for it."""
        if len(self.curves) < LEAST:
            return  # none is kept where the sweep does not ask for it
        for trial in (one for one in self.open if not one.pruned):
            epochs = queue.epochs_of(self.store, trial.runs[0])
            if epochs and is_lost(curve_of(epochs), list(self.curves.values())):
                trial.pruned = f"clearly lost after epoch {epochs[-1]['epoch']} of {epochs[-1]['total']}: stopped"
                queue.stop_runs(self.store, trial.runs)

    def _keep_curve(self, row: dict[str, Any]) -> None:
        """Remember how a trial's first run went that others are measured against."""
        if self.sweep.prune and row["state"] == "done":
            self.curves[row["number"]] = curve_of(queue.epochs_of(self.store, row["jobs"][0]))

    def _retry(self, trial: _Open, runs: Sequence[Job]) -> bool:
        """Queue the runs of a trial again whose worker was lost, unless that happens all the time; tell whether."""
        lost = [run for run in runs if run.state == queue.State.INTERRUPTED]
        if not lost or trial.retries >= RETRIES:
            return False
        trial.retries += 1
        queued = [self.store.resume(run.id) for run in lost]
        return any(queued)


def row_of(
    number: int, point: dict[str, Value], seeds: Sequence[int], runs: Sequence[Job], pruned: str = ""
) -> dict[str, Any]:
    """Return what is told of a trial; `pruned` says so where it was stopped as lost.

    Returns:
        {"number", "point", "seeds", "jobs" (ids), "state": "done", "failed" or "pruned", "error", "figures": {key:
        mean over seeds, None where a run has none}, "spread": {key: standard deviation, with several seeds}, "took":
        seconds, "once": those of them that later trials need not spend, see :mod:`zspag_core.tuning.pace`,
        "threads": with how many its first run was computed, None where that is not known}
    """
    done = [run for run in runs if run.state == queue.State.DONE and run.answer]
    failed = next((run for run in runs if run not in done), None)
    found = [figures_of(run.answer) for run in done] if failed is None else []
    figures, spread = _over_seeds(found)
    return {
        "number": number,
        "point": point,
        "seeds": list(seeds),
        "jobs": [run.id for run in runs],
        "state": "done" if failed is None else PRUNED if pruned else "failed",
        "error": "" if failed is None else pruned or failed.error or f"The run was {failed.state}.",
        "figures": figures,
        "spread": spread,
        "took": sum((run.finished or 0.0) - (run.started or run.finished or 0.0) for run in runs),
        "once": sum(map(once_of, runs)),
        "threads": done[0].answer.get("threads") if done else None,
    }


def _over_seeds(found: Sequence[dict[str, float | None]]) -> tuple[dict[str, float | None], dict[str, float]]:
    """Return means and standard deviations of figures that every run has."""
    figures: dict[str, float | None] = {}
    spread: dict[str, float] = {}
    for key in found[0] if found else ():
        known = [one[key] for one in found]
        values = [value for value in known if value is not None]
        figures[key] = fmean(values) if len(values) == len(known) else None
        if len(values) == len(known) > 1:
            spread[key] = stdev(values)
    return figures, spread
