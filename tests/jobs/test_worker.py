from __future__ import annotations

import threading
import time

import pytest

from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.jobs import Lane, State
from zspag_core.jobs.heartbeats import DASHBOARD, WORKER
from zspag_core.jobs.performance import perform
from zspag_core.jobs.worker import Worker


def claimed(store, kind="task"):
    store.submit(kind, {})
    store.heartbeats.beat("w", WORKER, (Lane.RUNS,), "cpu")
    return store.claim(Lane.RUNS, "w", "cpu")


def run_one(store, task, stopping=None):
    job = claimed(store)
    perform(store, job, stopping or threading.Event(), {"task": task}.get)
    return store.require(job.id)


def test_answer_is_kept(store):
    job = run_one(store, lambda *_: {"acc": 1.5})
    assert (job.state, job.answer, job.error) == (State.DONE, {"acc": 1.5}, "")


def test_expected_error_becomes_its_sentence(store):
    def task(*_):
        raise UnlearningError("the loss became nan in epoch 2")

    job = run_one(store, task)
    assert (job.state, job.error) == (State.FAILED, "the loss became nan in epoch 2")
    assert "Traceback" in job.details


def test_unexpected_error_is_named_in_one_line(store):
    def task(*_):
        raise RuntimeError("two\nlines")

    job = run_one(store, task)
    assert (job.state, job.error) == (State.FAILED, "unexpected: RuntimeError: two lines")
    assert "Traceback" in job.details


def test_unknown_task_fails_and_names_the_known_ones(store):
    job = claimed(store, "juggle")
    perform(store, job, threading.Event())
    now = store.require(job.id)
    assert now.state == State.FAILED
    assert "'juggle'" in now.error
    assert "unlearn" in now.error


def test_cancelled_job_says_so(store):
    def task(job, report):
        store.cancel(job.id)
        report.progress("unlearn", 0, 1)

    assert run_one(store, task).state == State.CANCELLED


def test_task_that_catches_the_cancel_is_still_cancelled(store):
    def task(job, report):
        store.cancel(job.id)
        with pytest.raises(Cancelled):
            report.progress("unlearn", 0, 1)
        return {"stopped": "cancelled"}

    job = run_one(store, task)
    assert (job.state, job.answer) == (State.CANCELLED, None)


def test_a_job_deep_in_one_long_step_is_called_cancelled_within_a_second(store):
    seen = {}

    def task(job, report):
        store.cancel(job.id)
        asked = time.monotonic()
        while store.require(job.id).state == State.RUNNING:
            time.sleep(0.02)
        seen["after"] = time.monotonic() - asked
        with pytest.raises(Cancelled):
            report.progress("unlearn", 1, 2)  # it may stop now; nothing it says is written down
        return {"acc": 1.0}

    job = run_one(store, task)
    assert (job.state, job.answer) == (State.CANCELLED, None)
    assert seen["after"] <= 1.0


def test_job_of_a_stopped_worker_is_interrupted(store):
    stopping = threading.Event()

    def task(_job, report):
        stopping.set()
        report.progress("unlearn", 0, 1)

    job = run_one(store, task, stopping)
    assert (job.state, job.error) == (State.INTERRUPTED, "The worker was stopped during this run.")


@pytest.mark.slow
def test_short_tasks_are_answered_while_a_run_is_under_way(store, start_server, wait_until):
    run = store.submit("endless", {})
    start_server()
    wait_until(lambda: store.require(run.id).progress)
    question = store.submit("quick", {"number": 21}, lane=Lane.INTERACTIVE)
    wait_until(lambda: store.require(question.id).state == State.DONE)
    assert store.require(question.id).answer == {"twice": 42}
    assert store.require(run.id).state == State.RUNNING


@pytest.mark.slow
def test_cancel_takes_effect_within_a_second(store, start_server, wait_until):
    run = store.submit("endless", {})
    start_server()
    wait_until(lambda: store.require(run.id).progress)
    asked = time.monotonic()
    store.cancel(run.id)
    wait_until(lambda: store.require(run.id).state == State.CANCELLED)
    assert time.monotonic() - asked <= 1.0


@pytest.mark.slow
def test_killed_workers_job_is_not_run_again_by_itself(store, home, start_server, wait_until, monkeypatch):
    run = store.submit("endless", {})
    victim = start_server("runs")
    wait_until(lambda: store.require(run.id).progress)
    victim.kill()
    victim.wait()
    monkeypatch.setattr("zspag_core.jobs.store.STALE_SECONDS", 1.0)
    wait_until(store.interrupt_orphans)
    assert store.require(run.id).state == State.INTERRUPTED
    start_server("runs")
    after = store.submit("quick", {"number": 1})
    wait_until(lambda: store.require(after.id).state == State.DONE)
    assert store.require(run.id).state == State.INTERRUPTED
    assert (home / "starts.txt").read_text().split() == [run.id]
    assert store.resume(run.id)
    wait_until(lambda: store.require(run.id).state == State.RUNNING)


@pytest.mark.slow
def test_stopped_worker_leaves_cleanly(store, start_server, wait_until):
    run = store.submit("endless", {})
    server = start_server("runs")
    wait_until(lambda: store.require(run.id).progress)
    server.terminate()
    assert server.wait(timeout=20) == 0
    assert store.require(run.id).state == State.INTERRUPTED
    assert store.heartbeats.alive(WORKER) == []


def test_task_that_does_not_listen_is_interrupted_all_the_same(store, wait_until, monkeypatch):
    monkeypatch.setattr("zspag_core.jobs.worker.GRACE_SECONDS", 0.1)
    deaf = threading.Event()
    worker = Worker(store, ["runs"], "cpu", find=lambda _: lambda *_: deaf.wait(20))
    run = store.submit("task", {})
    ended = []
    before, serving = set(threading.enumerate()), threading.Thread(target=lambda: ended.append(worker.serve()))
    serving.start()
    wait_until(lambda: store.require(run.id).state == State.RUNNING)
    worker.stopping.set()
    serving.join(timeout=10)
    assert store.require(run.id).state == State.INTERRUPTED
    assert ended == [False]
    deaf.set()
    for left in set(threading.enumerate()) - before:  # else its lane writes into a folder that is gone
        left.join(timeout=10)


def test_idle_worker_ends_once_no_dashboard_is_left(store, monkeypatch):
    monkeypatch.setattr("zspag_core.jobs.worker.BEAT_SECONDS", 0.05)
    worker = Worker(store, ["runs"], "cpu", until_idle=0.2)
    store.heartbeats.beat("d", DASHBOARD)
    serving = threading.Thread(target=worker.serve)
    serving.start()
    time.sleep(0.8)
    assert serving.is_alive()
    store.heartbeats.forget("d")
    serving.join(timeout=10)
    assert not serving.is_alive()
    assert store.heartbeats.alive(WORKER) == []


def test_a_worker_on_demand_ends_though_a_dashboard_is_there(store, monkeypatch):
    monkeypatch.setattr("zspag_core.jobs.worker.BEAT_SECONDS", 0.05)
    store.heartbeats.beat("d", DASHBOARD)
    serving = threading.Thread(target=Worker(store, ["maps"], "cpu", until_idle=0.2).serve)
    serving.start()
    serving.join(timeout=10)
    assert not serving.is_alive()


def test_worker_whose_lane_breaks_ends_as_a_whole(store, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr("zspag_core.jobs.worker.BEAT_SECONDS", 0.05)
    worker = Worker(store, ["runs"], "cpu")
    monkeypatch.setattr(store, "claim", lambda *_: 1 / 0)
    worker.serve()
    assert worker.stopping.is_set()
