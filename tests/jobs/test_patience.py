"""A database that cannot be written for a while costs a run nothing but that while."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from zspag_core.jobs import Lane, State, patience
from zspag_core.jobs.heartbeats import WORKER
from zspag_core.jobs.patience import patient
from zspag_core.jobs.performance import perform


@pytest.fixture
def disk(store, monkeypatch):
    """A disk that can be full; a call that finds it so looks again soon."""
    monkeypatch.setattr(patience, "AGAIN_SECONDS", 0.05)
    room = {"pages": 2**30}

    def limit(connection, *_rest):
        connection.execute(f"pragma max_page_count = {room['pages']}")

    event.listen(store.engine, "checkout", limit)
    yield room
    event.remove(store.engine, "checkout", limit)


def test_a_run_waits_for_room_and_loses_nothing(store, disk):
    store.submit("task", {})
    store.heartbeats.beat("w", WORKER, (Lane.RUNS,), "cpu")
    job, tried = store.claim(Lane.RUNS, "w", "cpu"), []

    def make_room():
        tried.append(True)
        disk["pages"] = 2**30

    def task(_job, report):
        disk["pages"] = 1  # as few as there are
        threading.Timer(0.5, make_room).start()
        for number in range(1, 40):
            report.epoch(number, 40, None, text="x" * 2000)
        assert tried, "the disk was never full"
        return {"acc": 1.5}

    perform(store, job, threading.Event(), {"task": task}.get)
    now = store.require(job.id)
    assert (now.state, now.answer, now.error) == (State.DONE, {"acc": 1.5}, "")
    assert [told.body["epoch"] for told in store.events(job.id)] == list(range(1, 40))


@pytest.mark.parametrize("end", ["stopping", "patience"])
def test_nobody_waits_for_ever(store, disk, monkeypatch, end):
    stopping = threading.Event()
    if end == "stopping":
        threading.Timer(0.2, stopping.set).start()
    else:
        monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.1)
    disk["pages"] = 1
    with pytest.raises(OperationalError, match="full"):
        patient(store, stopping).submit("task", {"text": "x" * 20_000})


def test_a_database_that_was_removed_is_not_waited_for(store, disk):
    with store.engine.begin() as connection:
        connection.execute(text("drop table jobs"))
    with pytest.raises(OperationalError, match="no such table"):
        patient(store, threading.Event()).submit("task", {})
