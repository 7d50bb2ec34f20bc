"""Filling the rows of a comparison side by side: each is a job of the queue, and puts its cells into the same folder.

One small network leaves most of a GPU idle: alone, a step of a small ViT took 15 ms on an NVIDIA H200, nearly all of it
spent on launching kernels; with ten processes at once each took twice as long, so five times as much was done. Rows do
not need each other, beyond the original's figures and the stages that rows of one process share.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.errors import DataError, UnlearningError, UsageError
from zspag_core.jobs.records import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.jobs import Job, JobStore
    from zspag_core.progress import Reporter
    from zspag_core.reproduce.experiment import Experiment
    from zspag_core.reproduce.harness import Harness
    from zspag_core.reproduce.row_plan import RowPlan
    from zspag_core.reproduce.scale import Scale

KIND = "row"
LOOK_SECONDS = 0.5
RETRIES = 3
"""How often a row is begun again whose worker was lost; what it had finished is kept."""


@dataclass(frozen=True, kw_only=True)
class RowJob:
    """One row that somebody is to fill, by names: what stands behind them is built there.

    Attributes:
        table: a key of `TABLES`.
        only: the name of the comparison.
        row: key of the row.
        out: folder of the harness, which all who fill rows share.
        scale: how much is computed.
        seeds: how many seeds a row has.
        depth: whether every stage is asked.
    """

    table: str
    only: str
    row: str
    out: str
    scale: Scale
    seeds: int
    depth: bool

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> RowJob:
        """Return what a job's config says."""
        from zspag_core.reproduce.scale import Scale

        return cls(**{**config, "scale": Scale(**config["scale"])})


def fill_together(
    harness: Harness, table: str, experiment: Experiment, store: JobStore, lane: str, device: str
) -> None:
    """Have the cells of a comparison filled by those who serve a lane; afterwards the harness finds all of them.

    The original's row is filled first: an original that must be trained is trained once.

    Args:
        harness: whose folder, scale and seeds are used; it takes over on which kind of device the rows were filled.
        table: the key of `TABLES` that the comparison came from.
        experiment: the comparison.
        store: the queue.
        lane: of it.
        device: what a row asks for, as :func:`zspag_core.devices.resolve_device` takes it where it is filled.

    Raises:
        Cancelled: the harness's reporter asked to stop; finished cells are kept.
        DataError: the comparison's data are not at hand where its rows are filled.
        UnlearningError: a row could not be filled.
        UsageError: rows were filled on devices of several kinds.
    """
    first, *others = sorted(experiment.plans, key=lambda plan: _weight(plan.method), reverse=True)
    used: set[str] = set()
    for plans in ([first], others):
        jobs = [_queue(store, lane, device, harness, table, experiment, plan) for plan in plans]
        try:
            used |= _await(store, jobs, harness)
        finally:
            for job in jobs:
                store.cancel(job.id)
                store.clear_away(job.id)
        if len(used) > 1:
            names = " and ".join(sorted(used))
            raise UsageError(f"--cluster: a comparison needs devices of one kind, its rows were filled on {names}")
    harness.device_name = used.pop()


def _queue(
    store: JobStore, lane: str, device: str, harness: Harness, table: str, experiment: Experiment, plan: RowPlan
) -> Job:
    """Queue one row."""
    row = RowJob(
        table=table,
        only=experiment.name,
        row=plan.key,
        out=str(harness.out.resolve()),
        scale=harness.scale,
        seeds=harness.seeds,
        depth=harness.depth,
    )
    return store.submit(KIND, asdict(row), lane=lane, device=device)


def _await(store: JobStore, jobs: Sequence[Job], harness: Harness) -> set[str]:
    """Pass on what is said of the rows until all are filled; return the names of the devices that filled them."""
    pending, heard, lost = {job.id for job in jobs}, dict.fromkeys((job.id for job in jobs), 0), Counter[str]()
    used = set()
    while pending:
        harness.report.progress("rows", len(jobs) - len(pending), len(jobs))
        store.reap()
        for job in [store.require(job) for job in sorted(pending)]:
            for event in store.events(job.id, after=heard[job.id], kind="note"):
                heard[job.id] = event.sequence
                harness.tell(event.body["sentence"])
            if job.state == State.INTERRUPTED and lost[job.id] < RETRIES:
                lost[job.id] += 1
                store.resume(job.id)
            elif not job.active:
                pending.remove(job.id)
                used.add(_device_of(job))
        time.sleep(LOOK_SECONDS if pending else 0)
    return used


def _device_of(job: Job) -> str:
    """Return on which kind of device a row was filled.

    Raises:
        DataError: its data are not there.
        UnlearningError: it was not filled.
    """
    if job.state != State.DONE:
        raise UnlearningError(f"row {job.config['row']}: {job.error or f'it was {job.state}'}")
    if "absent" in job.answer:
        raise DataError(job.answer["absent"])
    return str(job.answer["device"])


def fill(row: RowJob, device: str, report: Reporter) -> dict[str, str]:
    """Fill one row's cells; return {"device": the name of what computed} or {"absent": which data are not at hand}."""
    from zspag_core.reproduce.tables import experiments

    harness = _harness(row.out, row.scale, device, row.seeds, depth=row.depth)
    harness.report, harness.tell = report, report.note
    (experiment,) = experiments(row.table, row.scale, row.only)
    (plan,) = (plan for plan in experiment.plans if plan.key == row.row)
    try:
        harness.fill(experiment, plan)
    except DataError as error:
        return {"absent": str(error)}
    return {"device": harness.device_name}


@lru_cache(maxsize=1)
def _harness(out: str, scale: Scale, device: str, seeds: int, *, depth: bool) -> Harness:
    """Return this process's harness: it remembers model and images from one row to the next."""
    from zspag_core.devices import resolve_device
    from zspag_core.reproduce.harness import Harness

    return Harness(Path(out), scale, device=resolve_device(device), seeds=seeds, depth=depth)


def _weight(method: str | None) -> int:
    """Return what comes first: the original, and then the rows that take longest."""
    from zspag_core.methods.catalogue import find_entry

    if method is None:
        return 3
    if method in {"retrain", "gkt", "ispf"}:
        return 2
    return int(find_entry(method).needs_retain)
