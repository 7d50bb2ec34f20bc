"""Rows filled side by side come to the same page, stop when asked, and pass on what goes wrong."""

from __future__ import annotations

import multiprocessing
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

from tests.test_cli import call
from zspag_core.errors import Cancelled
from zspag_core.progress import Reporter
from zspag_core.reproduce import crew
from zspag_core.reproduce.filler import Filler
from zspag_core.reproduce.harness import Harness
from zspag_core.reproduce.tables import arenas

ONLY = "digits-resnet"


@pytest.fixture
def threads(monkeypatch):
    """Let threads take the place of processes, which would not know of the tiny cases; return how many were asked."""
    asked = []

    def pool(workers, stop):
        asked.append(workers)
        monkeypatch.setattr(crew._stop, "event", stop)
        cores = torch.get_num_threads()  # a new thread has its own number, and sums in another order with another one
        return ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(cores,))

    monkeypatch.setattr(crew, "processes", pool)
    return asked


def test_the_page_is_the_same_and_nothing_is_made_twice(tiny, harness, threads, tmp_path):
    (arena,) = arenas("table4", tiny, ONLY)
    lines = []
    harness.tell = lines.append
    crew.fill_together(harness, "table4", arena, 2)
    assert threads == [2]
    others = len(arena.plans) - 1
    assert sum("seed 0" in line for line in lines) == 1 + 2 * others  # the original's, each time
    together = harness.compare(arena)
    assert harness.cells.made == 1  # the original's; all others were found
    alone = Harness(tmp_path / "alone", tiny, device=harness.device, seeds=1).compare(arena)
    for one, other in zip(together.rows, alone.rows, strict=True):
        assert one.key == other.key
        for outcome, same in zip(one.seeds, other.seeds, strict=True):
            assert (outcome.acc_rt, outcome.acc_ut, outcome.probe) == (same.acc_rt, same.acc_ut, same.probe)


def test_rows_filled_elsewhere_are_asked_stage_by_stage_too(tiny, harness, threads, monkeypatch):
    asked = []
    monkeypatch.setattr(Filler, "row", lambda *_: None)
    monkeypatch.setattr(crew, "_harness", lambda *_, depth: asked.append(depth) or harness)
    (arena,) = arenas("table4", tiny, ONLY)
    for harness.depth in (False, True):
        crew.fill_together(harness, "table4", arena, 2)
    others = len(arena.plans) - 1
    assert asked == [False] * others + [True] * others


def test_the_longest_rows_come_first():
    order = sorted(["zspag", "gkt", "finetune", None], key=crew._weight, reverse=True)
    assert order == [None, "gkt", "finetune", "zspag"]


def test_ctrl_c_stops_every_process(tiny, harness, threads):
    class Impatient(Reporter):
        def progress(self, stage, done, total, **figures):
            if stage == "rows":
                raise Cancelled("interrupted")

    harness.report = Impatient()
    (arena,) = arenas("table4", tiny, ONLY)
    with pytest.raises(Cancelled):
        crew.fill_together(harness, "table4", arena, 2)
    assert crew._stop.event.is_set()
    with pytest.raises(Cancelled):
        crew._stop.progress("unlearn", 1, 2)


def test_what_goes_wrong_in_a_row_is_passed_on(tiny, harness, threads, monkeypatch):
    def broken(self, plan):
        if plan.method == "retrain":
            raise RuntimeError("out of memory")

    monkeypatch.setattr(Filler, "row", broken)
    (arena,) = arenas("table4", tiny, ONLY)
    with pytest.raises(RuntimeError, match="out of memory"):
        crew.fill_together(harness, "table4", arena, 2)


def test_a_real_process_shares_the_cores_and_heeds_the_event():
    stop = multiprocessing.get_context("spawn").Event()
    with crew.processes(1000, stop) as pool:
        with crew.deaf():
            begun = pool.submit(_state)
        assert begun.result() == (1, signal.SIG_IGN)  # one thread; Ctrl-C is the first process's affair
        stop.set()
        assert pool.submit(_stopped).result()


def test_times_are_measured_one_row_after_the_other(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(crew, "fill_together", lambda *_: pytest.fail("rows must not share the device"))
    monkeypatch.setattr(Harness, "compare", lambda self, arena: _page(arena))
    monkeypatch.setattr("zspag_core.reproduce.markdown.as_markdown", lambda *_: "page")
    (tmp_path / "out").mkdir()
    assert call(["reproduce", "table6", "--workers", "3", "--out", str(tmp_path / "out")]) == 0


def _page(arena):
    return replace(arena, title=arena.title)


def _state():
    import torch

    return torch.get_num_threads(), signal.getsignal(signal.SIGINT)


def _stopped():
    return crew._stop.event.is_set()
