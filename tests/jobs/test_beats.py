from __future__ import annotations

from zspag_core.jobs.beats import DASHBOARD, WORKER, Beat, served_devices


def test_beat_is_seen_with_lanes_and_device(store):
    store.beats.beat("w", WORKER, ("runs", "interactive"), "cuda:1")
    (worker,) = store.beats.alive(WORKER)
    assert (worker.name, worker.lanes, worker.device) == ("w", ("runs", "interactive"), "cuda:1")
    assert worker.serves("runs", "cpu")
    assert not worker.serves("runs", "cuda:0")
    assert not worker.serves("other", "cpu")
    assert store.beats.alive(DASHBOARD) == []


def test_second_beat_replaces_the_first(store):
    store.beats.beat("w", WORKER, ("runs",), "auto")
    store.beats.beat("w", WORKER, ("runs",), "cpu")
    assert [worker.device for worker in store.beats.alive(WORKER)] == ["cpu"]


def test_old_beat_is_no_sign_of_life(store):
    store.beats.beat("w", WORKER)
    assert store.beats.alive(WORKER, within=0.0) == []


def test_forgotten_process_is_gone(store):
    store.beats.beat("w", WORKER)
    store.beats.forget("w")
    assert store.beats.alive(WORKER) == []


def test_one_caller_gets_a_reservation_until_it_is_stale(store):
    assert store.beats.reserve("start", 60.0)
    assert not store.beats.reserve("start", 60.0)
    assert store.beats.reserve("start", 0.0)


def test_every_worker_has_a_cpu():
    assert served_devices("cuda:1") == {"auto", "cpu", "cuda", "cuda:1"}
    assert Beat("w", WORKER, ("runs",), "mps", 0.0).serves("runs", "auto")
