"""What a worker does while no run waits, and how it gives way."""

from __future__ import annotations

import threading

import pytest

from zspag_core.errors import Cancelled, UsageError
from zspag_core.jobs import Lane, State, spare
from zspag_core.jobs.heartbeats import WORKER
from zspag_core.jobs.performance import Performance
from zspag_core.jobs.records import AHEAD, SPARE
from zspag_core.jobs.spare import SpareTime
from zspag_core.jobs.worker import Worker

RUN = {"data": "digits", "checkpoint": "m.safetensors", "forget": [3], "settings": {"epsilon": 0.1}}
WISH = RUN | {"class_names": ["3"]}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    """No form has to rest, and every report looks around."""
    for name in ("REST_SECONDS", "LOOK_SECONDS", "YIELD_SECONDS", "WRITE_SECONDS"):
        monkeypatch.setattr(spare, name, 0.0)


@pytest.fixture
def wish(store):
    store.heartbeats.beat("w", WORKER, (Lane.RUNS,), "cpu")
    return store.submit(AHEAD, WISH, lane=SPARE)


@pytest.fixture
def spare_time(store):
    """Return the spare time of a worker whose work is a function of the config and whom to tell."""

    def begin(job):
        return Performance(store, job, threading.Event())

    return lambda make: SpareTime(store, "w", "cpu", threading.Event(), begin, make)


def test_a_wish_is_fulfilled_once(store, wish, spare_time):
    made = []
    idle = spare_time(lambda config, _report: made.append(config))
    assert (idle.use(), idle.use(), made) == (None, None, [WISH])
    assert store.require(wish.id).state == State.DONE


def test_the_newest_comes_first_and_old_ones_are_dropped(store, wish, spare_time, monkeypatch):
    newer, made = store.submit(AHEAD, {"forget": [4]}, lane=SPARE), []
    idle = spare_time(lambda config, _report: made.append(config["forget"]))
    idle.use()
    assert (made, store.require(newer.id).state) == ([[4]], State.DONE)
    monkeypatch.setattr(spare, "OLD_SECONDS", -1.0)
    idle.use()
    assert (made, store.require(wish.id).state) == ([[4]], State.CANCELLED)


def test_a_form_must_rest_first(store, wish, spare_time, monkeypatch):
    monkeypatch.setattr(spare, "REST_SECONDS", 60.0)
    spare_time(lambda *_: pytest.fail("too early")).use()
    assert store.require(wish.id).state == State.QUEUED


@pytest.mark.parametrize("lane", [Lane.INTERACTIVE, Lane.MAPS, Lane.SWEEPS, Lane.TRIALS])
def test_nothing_is_begun_while_somebody_waits_for_something_else(store, wish, spare_time, lane):
    store.submit("preview", {}, lane=lane)
    spare_time(lambda *_: pytest.fail("somebody waits")).use()
    assert store.require(wish.id).state == State.QUEUED


def test_it_stands_still_while_a_short_task_is_under_way(store, wish, spare_time):
    ended = []

    def make(_config, report):
        task = store.submit("preview", {}, lane=Lane.INTERACTIVE)
        threading.Timer(0.3, lambda: (ended.append(True), store.cancel(task.id))).start()
        report.progress("proxies", 1, 2)
        assert ended

    spare_time(make).use()
    assert store.require(wish.id).state == State.DONE


@pytest.mark.parametrize("other", [RUN | {"forget": [4]}, RUN | {"settings": {"epsilon": 0.2}}, RUN | {"seed": 1}])
def test_another_run_ends_it(store, wish, spare_time, other):
    def make(_config, report):
        report.progress("proxies", 1, 2)
        store.submit("unlearn", other)
        report.progress("proxies", 2, 2)
        pytest.fail("a run waits")

    assert spare_time(make).use() is None
    now = store.require(wish.id)
    assert (now.state, now.error) == (State.CANCELLED, "a job waits")


def test_a_training_ends_it(store, wish, spare_time):
    def make(_config, report):
        store.submit("train", {})
        report.progress("proxies", 2, 2)

    assert spare_time(make).use() is None
    assert store.require(wish.id).state == State.CANCELLED


def test_the_run_that_it_is_made_for_goes_on_with_it(store, wish, spare_time):
    asked = []

    def make(_config, report):
        report.progress("proxies", 1, 3)
        asked.append(store.submit("unlearn", RUN | {"settings": {"epsilon": 0.1, "epochs": 3}, "device": "cpu"}))
        report.progress("proxies", 2, 3)
        assert store.require(asked[0].id).progress["done"] == 2
        report.progress("proxies", 3, 3)

    run = spare_time(make).use()
    assert (run.job.id, store.require(run.job.id).state) == (asked[0].id, State.RUNNING)
    assert [event.body["stage"] for event in store.events(run.job.id)] == ["proxies"]
    run.carry_out(lambda _: lambda *_: "answer")
    assert store.require(run.job.id).answer == "answer"
    assert store.require(wish.id).state == State.DONE


def test_a_run_that_goes_on_with_it_puts_the_originals_grade_off(store, wish, spare_time):
    def make(_config, report):
        report.progress("before", 1, 9)
        store.submit("unlearn", RUN)
        report.progress("proxies", 1, 3)
        report.progress("before", 2, 9)
        pytest.fail("the first epoch would wait for that")

    run = spare_time(make).use()
    assert [event.body["stage"] for event in store.events(run.job.id)] == ["proxies"]
    assert store.require(wish.id).state == State.DONE


@pytest.mark.parametrize("fault", [RuntimeError("out of memory"), UsageError("no such class")])
def test_a_fault_is_left_to_the_run_that_goes_on_with_it(store, wish, spare_time, fault):
    def make(_config, report):
        store.submit("unlearn", RUN)
        report.progress("proxies", 1, 3)
        raise fault

    run = spare_time(make).use()
    assert store.require(run.job.id).state == State.RUNNING


def test_a_run_that_goes_on_with_it_is_cancelled_as_any(store, wish, spare_time):
    def make(_config, report):
        job = store.submit("unlearn", RUN)
        report.progress("proxies", 1, 3)
        store.cancel(job.id)
        report.progress("subspace", 1, 3)
        pytest.fail("cancelled")

    run = spare_time(make).use()
    run.carry_out(lambda _: lambda _job, report: report.progress("load", 0, 1))
    assert store.require(run.job.id).state == State.CANCELLED


def test_a_form_that_changes_ends_it(store, wish, spare_time):
    def make(_config, report):
        store.cancel(wish.id)
        report.progress("proxies", 1, 3)
        pytest.fail("nobody wishes it")

    assert spare_time(make).use() is None
    assert store.require(wish.id).state == State.CANCELLED


def test_what_cannot_be_run_is_a_wish_that_failed(store, wish, spare_time):
    def make(*_):
        raise UsageError("no such class")

    assert spare_time(make).use() is None
    now = store.require(wish.id)
    assert (now.state, now.error) == (State.FAILED, "no such class")


def served(store, make):
    """Let a worker serve until its first run has ended."""
    ends = {"find": lambda _: lambda *_: worker.stopping.set()}
    worker = Worker(store, ["runs"], "cpu", make_ahead=make, first=WISH, **ends)
    assert worker.serve()


def test_a_worker_makes_the_first_run_ahead_until_a_job_comes(store):
    told = []

    def make(config, report):
        told.append(config)
        store.submit("train", {})
        with pytest.raises(Cancelled, match="a job waits"):
            report.progress("load", 0, 1)
        told.append("ended")
        raise Cancelled("a job waits")

    served(store, make)
    assert told == [WISH, "ended"]
    assert [job.state for job in store.latest()] == [State.DONE]


def test_a_worker_goes_on_with_what_it_made_ahead(store):
    def make(_config, report):
        store.submit("unlearn", RUN)
        report.progress("load", 0, 1)

    served(store, make)
    assert [job.state for job in store.latest()] == [State.DONE]


def test_a_worker_whose_making_ahead_breaks_serves_all_the_same(store, capsys):
    def make(*_):
        raise RuntimeError("no such instruction")

    job = store.submit("a", {})
    served(store, make)
    assert store.require(job.id).state == State.DONE
    assert "no such instruction" in capsys.readouterr().err


def test_a_worker_fulfils_a_wish_and_then_serves(store, wish):
    def make(config, _report):
        if config == wish.config and store.require(wish.id).state == State.RUNNING:
            store.submit("a", {})

    served(store, make)
    assert store.require(wish.id).state == State.DONE


def test_a_worker_that_is_to_end_makes_nothing_ahead(store):
    stopped = []

    def make(_config, report):
        worker.stopping.set()
        with pytest.raises(Cancelled, match="to end"):
            report.progress("load", 0, 1)
        stopped.append(True)

    worker = Worker(store, ["runs"], "cpu", first=WISH, make_ahead=make)
    assert worker.serve()
    assert stopped == [True]
