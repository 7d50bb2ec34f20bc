"""Filling the rows of a comparison side by side: a few processes that put their cells into one folder.

One small network leaves most of a GPU idle: alone, a step of a small ViT took 15 ms on an NVIDIA H200, nearly all of it
spent on launching kernels; with ten processes at once each took twice as long, so five times as much was done. Rows do
not need each other, beyond the original's figures and the stages that rows of one process share.
"""

from __future__ import annotations

import multiprocessing
import signal
from concurrent.futures import FIRST_COMPLETED, Executor, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from zspag_core.errors import Cancelled
from zspag_core.progress import Reporter
from zspag_core.threads import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from zspag_core.reproduce.arena import Arena
    from zspag_core.reproduce.harness import Harness
    from zspag_core.reproduce.scale import Scale

LOOKS = 0.5
"""Seconds between two looks at whether someone pressed Ctrl-C."""


@dataclass(frozen=True, kw_only=True)
class Errand:
    """One row for one process, by names: what stands behind them is built there.

    Attributes:
        table: a key of `TABLES`.
        only: the name of the comparison.
        row: key of the row.
        out: folder of the harness.
        scale: how much is computed.
        device: where.
        seeds: how many seeds a row has.
        depth: whether every stage is asked.
    """

    table: str
    only: str
    row: str
    out: Path
    scale: Scale
    device: str
    seeds: int
    depth: bool


def fill_together(harness: Harness, table: str, arena: Arena, workers: int) -> None:
    """Fill the cells of a comparison in several processes; afterwards the harness finds all of them.

    The original's row is filled here and first: an original that must be trained is trained once.

    Args:
        harness: whose folder, scale, device and seeds are used.
        table: the key of `TABLES` that the comparison came from.
        arena: the comparison.
        workers: how many processes.

    Raises:
        Cancelled: the harness's reporter asked to stop; finished cells are kept.
    """
    first, *others = sorted(arena.plans, key=lambda plan: _weight(plan.method), reverse=True)
    harness.fill(arena, first)
    errands = [
        Errand(
            table=table,
            only=arena.name,
            row=plan.key,
            out=harness.out,
            scale=harness.scale,
            device=str(harness.device),
            seeds=harness.seeds,
            depth=harness.depth,
        )
        for plan in others
    ]
    stop = multiprocessing.get_context("spawn").Event()
    with processes(workers, stop) as pool:
        try:
            with deaf():
                futures = [pool.submit(fill, errand) for errand in errands]
            _await(futures, harness.report, harness.tell)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def processes(workers: int, stop: Any) -> Executor:  # noqa: ANN401 - multiprocessing's events have no public type
    """Return a pool of fresh processes, which share the machine's cores and heed `stop`."""
    threads = max(1, usable_cores() // workers)
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(stop, threads))


@contextmanager
def deaf() -> Iterator[None]:
    """Ignore Ctrl-C for a moment, so that processes started in it ignore it from their first instruction on."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def fill(errand: Errand) -> list[str]:
    """Fill one row's cells; return what there is to say of them."""
    from zspag_core.reproduce.tables import arenas

    lines: list[str] = []
    harness = _harness(errand.out, errand.scale, errand.device, errand.seeds, depth=errand.depth)
    harness.tell = lines.append
    (arena,) = arenas(errand.table, errand.scale, errand.only)
    (plan,) = (plan for plan in arena.plans if plan.key == errand.row)
    harness.fill(arena, plan)
    return lines


@lru_cache(maxsize=1)
def _harness(out: Path, scale: Scale, device: str, seeds: int, *, depth: bool) -> Harness:
    """Return this process's harness: it remembers model and images from one row to the next."""
    import torch

    from zspag_core.reproduce.harness import Harness

    return Harness(out, scale, device=torch.device(device), seeds=seeds, report=_stop, depth=depth)


class _Stop(Reporter):
    """Raises Cancelled once the first process says so."""

    event: Any = None

    def progress(self, stage: str, done: int, total: int, **figures: float) -> None:
        """Look."""
        if self.event is not None and self.event.is_set():
            raise Cancelled("interrupted")


_stop = _Stop()


def _begin(event: Any, threads: int) -> None:  # noqa: ANN401 - as above
    """Prepare a process."""
    import torch

    torch.set_num_threads(threads)
    _stop.event = event


def _await(futures: Iterable[Any], report: Reporter, tell: Callable[[str], None]) -> None:
    """Pass on what the processes say, row by row; the first error of one ends all."""
    pending = set(futures)
    while pending:
        report.progress("rows", 0, 1)
        done, pending = wait(pending, timeout=LOOKS, return_when=FIRST_COMPLETED)
        for future in done:
            for line in future.result():
                tell(line)


def _weight(method: str | None) -> int:
    """Return what comes first: the original, and then the rows that take longest."""
    from zspag_core.methods.catalogue import find_entry

    if method is None:
        return 3
    if method in {"retrain", "gkt", "ispf"}:
        return 2
    return int(find_entry(method).needs_retain)
