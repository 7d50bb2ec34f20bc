"""Rows filled side by side come to the same page, stop when asked, and pass on what goes wrong."""

from __future__ import annotations

import threading
from dataclasses import asdict, replace

import pytest

from tests.test_cli import call
from zspag_core.commands.serving import this_process
from zspag_core.errors import Cancelled, DataError, UnlearningError, UsageError
from zspag_core.jobs import JobStore, State
from zspag_core.jobs.heartbeats import WORKER
from zspag_core.jobs.records import ROWS
from zspag_core.progress import Reporter
from zspag_core.reproduce import parallel
from zspag_core.reproduce.harness import Harness
from zspag_core.reproduce.parallel import RowJob, fill_together
from zspag_core.reproduce.row_filler import RowFiller
from zspag_core.reproduce.tables import experiments

ONLY = "digits-resnet"
LANE = f"{ROWS}one"


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(parallel, "LOOK_SECONDS", 0.02)
    parallel._harness.cache_clear()
    return JobStore()


@pytest.fixture
def served(store):
    """Somebody who fills rows: a thread of this process, since another one would not know of the tiny setups."""
    with this_process(store, (LANE,), "cpu"):
        yield store


@pytest.fixture
def experiment(tiny):
    return experiments("table4", tiny, ONLY)[0]


@pytest.mark.slow
def test_the_page_is_the_same_and_nothing_is_made_twice(tiny, harness, experiment, served, tmp_path):
    experiment = replace(experiment, plans=experiment.plans[:5])  # of every kind; further attacks take longest
    lines = []
    harness.tell = lines.append
    fill_together(harness, "table4", experiment, served, LANE, "cpu")
    others = len(experiment.plans) - 1
    assert sum("seed 0" in line for line in lines) == 1 + 2 * others  # the original's, each time
    together = harness.compare(experiment)
    assert harness.cells.made == 0
    alone = Harness(tmp_path / "alone", tiny, device=harness.device, seeds=1).compare(experiment)
    for one, other in zip(together.rows, alone.rows, strict=True):
        assert one.key == other.key
        for outcome, same in zip(one.seeds, other.seeds, strict=True):
            assert (outcome.acc_rt, outcome.acc_ut, outcome.probe) == (same.acc_rt, same.acc_ut, same.probe)


@pytest.mark.slow
def test_nothing_of_the_rows_is_left_in_the_queue(harness, experiment, served, monkeypatch):
    monkeypatch.setattr(RowFiller, "row", lambda *_: None)
    asked = []
    monkeypatch.setattr(served, "submit", lambda *a, **k: asked.append(JobStore.submit(served, *a, **k)) or asked[-1])
    fill_together(harness, "table4", experiment, served, LANE, "cpu")
    assert len(asked) == len(experiment.plans)
    assert [served.get(job.id) for job in asked] == [None] * len(asked)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [False, True])
def test_rows_filled_elsewhere_are_asked_stage_by_stage_too(harness, experiment, served, monkeypatch, depth):
    asked = []
    monkeypatch.setattr(RowFiller, "row", lambda self, _plan: asked.append(self.context.depth))
    harness.depth = depth
    fill_together(harness, "table4", experiment, served, LANE, "cpu")
    assert set(asked) == {depth}


def test_a_row_is_the_same_after_its_way_through_the_queue(tiny):
    row = RowJob(table="table4", only=ONLY, row="zspag", out="/out", scale=tiny, seeds=2, depth=True)
    assert RowJob.from_config(asdict(row)) == row


def test_the_longest_rows_come_first():
    order = sorted(["zspag", "gkt", "finetune", None], key=parallel._weight, reverse=True)
    assert order == [None, "gkt", "finetune", "zspag"]


def test_ctrl_c_takes_every_row_back(harness, experiment, store):
    class Impatient(Reporter):
        def progress(self, stage, done, total, **figures):
            if stage == "rows":
                raise Cancelled("interrupted")

    harness.report = Impatient()
    with pytest.raises(Cancelled):
        fill_together(harness, "table4", experiment, store, LANE, "cpu")
    assert store.waiting(LANE) == []


@pytest.mark.slow
def test_what_goes_wrong_in_a_row_is_passed_on_and_the_others_end(harness, experiment, served, monkeypatch):
    def broken(self, plan):
        if plan.method == "retrain":
            raise UnlearningError("out of memory")

    monkeypatch.setattr(RowFiller, "row", broken)
    with pytest.raises(UnlearningError, match="row retrain: out of memory"):
        fill_together(harness, "table4", experiment, served, LANE, "cpu")
    assert served.waiting(LANE) == []


@pytest.mark.slow
def test_data_that_are_not_at_hand_are_told_of_as_in_one_process(harness, experiment, served, monkeypatch):
    def absent(self, plan):
        raise DataError("svhn: expected test_32x32.mat")

    monkeypatch.setattr(RowFiller, "row", absent)
    with pytest.raises(DataError, match=r"^svhn: expected test_32x32\.mat$"):
        fill_together(harness, "table4", experiment, served, LANE, "cpu")


def end(store, job, state, **said):
    """Play somebody who fills a row."""
    store.heartbeats.beat("w", WORKER, (LANE,), "cpu")
    store.finish(store.claim(LANE, "w", "cpu", only=job), state, **said)


def play(store, ends):
    """Let a thread end the rows that come, each as the next of some says; what is left over waits."""

    def serve():
        for state, said in ends:
            while not (waiting := store.waiting(LANE)):
                pass
            end(store, waiting[0], state, **said)

    threading.Thread(target=serve, daemon=True).start()


def test_a_row_whose_worker_was_lost_is_begun_again_but_not_for_ever(harness, experiment, store):
    once = [(State.INTERRUPTED, {"error": "lost"})]
    experiment = replace(experiment, plans=experiment.plans[:1])
    play(store, [*once * parallel.RETRIES, (State.DONE, {"answer": {"device": "cuda (H200)"}})])
    fill_together(harness, "table4", experiment, store, LANE, "cpu")
    assert harness.device_name == "cuda (H200)"
    play(store, once * (parallel.RETRIES + 1))
    with pytest.raises(UnlearningError, match="row original: lost"):
        fill_together(harness, "table4", experiment, store, LANE, "cpu")


def test_rows_from_devices_of_several_kinds_make_no_comparison(harness, experiment, store):
    experiment = replace(experiment, plans=experiment.plans[:3])
    play(store, [(State.DONE, {"answer": {"device": name}}) for name in ("cpu", "cpu", "cuda (H200)")])
    with pytest.raises(UsageError, match=r"filled on cpu and cuda \(H200\)"):
        fill_together(harness, "table4", experiment, store, LANE, "cpu")


def test_times_are_measured_one_row_after_the_other(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("zspag_core.commands.reproduce._together", lambda *_: pytest.fail("rows share no device"))
    monkeypatch.setattr(Harness, "compare", lambda self, experiment: replace(experiment, title=experiment.title))
    monkeypatch.setattr("zspag_core.reproduce.markdown.as_markdown", lambda *_: "page")
    (tmp_path / "out").mkdir()
    assert call(["reproduce", "table6", "--workers", "3", "--out", str(tmp_path / "out")]) == 0
