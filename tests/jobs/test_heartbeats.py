from __future__ import annotations

import time

from sqlalchemy import update

from zspag_core.jobs.heartbeats import DASHBOARD, WORKER, Heartbeat, served_devices
from zspag_core.jobs.schema import beats

DATABASES = ("sqlite", "postgres")


def test_beat_is_seen_with_lanes_and_device(store):
    store.heartbeats.beat("w", WORKER, ("runs", "interactive"), "cuda:1")
    (worker,) = store.heartbeats.alive(WORKER)
    assert (worker.name, worker.lanes, worker.device) == ("w", ("runs", "interactive"), "cuda:1")
    assert worker.serves("runs", "cpu")
    assert not worker.serves("runs", "cuda:0")
    assert not worker.serves("other", "cpu")
    assert store.heartbeats.alive(DASHBOARD) == []


def test_second_beat_replaces_the_first(store):
    store.heartbeats.beat("w", WORKER, ("runs",), "auto")
    store.heartbeats.beat("w", WORKER, ("runs",), "cpu")
    assert [worker.device for worker in store.heartbeats.alive(WORKER)] == ["cpu"]


def test_old_beat_is_no_sign_of_life(store):
    store.heartbeats.beat("w", WORKER)
    assert store.heartbeats.alive(WORKER, within=0.0) == []


def test_a_beat_of_the_future_is_no_sign_of_life(store):
    store.heartbeats.beat("w", WORKER)
    with store.engine.begin() as connection:
        connection.execute(update(beats).values(at=beats.c.at + 3600.0))  # the clock was put back an hour since
    assert store.heartbeats.alive(WORKER) == []


def test_clocks_of_machines_need_not_agree(store, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 60.0)
    store.heartbeats.beat("w", WORKER)
    assert [worker.name for worker in store.heartbeats.alive(WORKER)] == ["w"]


def test_forgotten_process_is_gone(store):
    store.heartbeats.beat("w", WORKER)
    store.heartbeats.forget("w")
    assert store.heartbeats.alive(WORKER) == []


def test_one_caller_gets_a_reservation_until_it_is_stale(store):
    assert store.heartbeats.reserve("start", 60.0)
    assert not store.heartbeats.reserve("start", 60.0)
    assert store.heartbeats.reserve("start", 0.0)


def test_every_worker_has_a_cpu():
    assert served_devices("cuda:1") == {"auto", "cpu", "cuda", "cuda:1"}
    assert Heartbeat("w", WORKER, ("runs",), "mps", 0.0).serves("runs", "auto")
