from __future__ import annotations

from types import SimpleNamespace

import pytest

from zspag_core.jobs import Lane, State
from zspag_core.jobs import supervisor as supervisor_module
from zspag_core.jobs.heartbeats import DASHBOARD, WORKER
from zspag_core.jobs.supervisor import Supervisor


@pytest.fixture
def started(start_server, monkeypatch):
    """Replace the real worker by one that needs no torch; return what was started."""
    processes = []

    def start(lane, device):
        process = start_server(lane)
        processes.append((lane, device, process))
        return process

    monkeypatch.setattr(supervisor_module, "start_worker", start)
    return processes


@pytest.mark.slow
def test_every_lane_gets_one_worker(store, started, wait_until):
    supervisor = Supervisor(store)
    supervisor.look()
    supervisor.look()
    assert [(lane, device) for lane, device, _ in started] == [("runs", "auto"), ("interactive", "auto")]
    wait_until(lambda: len(store.heartbeats.alive(WORKER)) == 2)
    supervisor.look()
    assert len(started) == 2
    assert len(store.heartbeats.alive(DASHBOARD)) == 1


@pytest.mark.slow
def test_a_lane_on_demand_gets_a_worker_when_a_job_waits(store, started, wait_until):
    supervisor = Supervisor(store, (Lane.MAPS,))
    supervisor.look()
    assert started == []
    job = store.submit("quick", {"number": 3}, lane=Lane.MAPS)
    supervisor.look()
    assert [(lane, device) for lane, device, _ in started] == [("maps", "auto")]
    wait_until(lambda: store.require(job.id).state == State.DONE)
    supervisor.look()
    assert len(started) == 1


def test_two_dashboards_do_not_start_two(store, started):
    for supervisor in (Supervisor(store, (Lane.RUNS,)), Supervisor(store, (Lane.RUNS,))):
        supervisor.look()
    assert len(started) == 1


@pytest.mark.slow
def test_killed_worker_is_replaced_and_its_job_interrupted_at_once(store, started, wait_until):
    supervisor = Supervisor(store, (Lane.RUNS,))
    run = store.submit("endless", {})
    supervisor.look()
    wait_until(lambda: store.require(run.id).progress)
    started[0][2].kill()
    started[0][2].wait()
    supervisor.look()
    assert store.require(run.id).state == State.INTERRUPTED
    assert len(started) == 2
    after = store.submit("quick", {"number": 2})
    wait_until(lambda: store.require(after.id).state == State.DONE)


@pytest.mark.slow
def test_a_worker_that_fell_silent_ends_when_another_takes_its_place(store, started, wait_until, monkeypatch):
    supervisor = Supervisor(store, (Lane.RUNS,))
    supervisor.look()
    wait_until(lambda: store.heartbeats.alive(WORKER))
    supervisor.look()
    monkeypatch.setattr(store.heartbeats, "alive", lambda *_: [])
    monkeypatch.setattr(store.heartbeats, "reserve", lambda *_: True)
    supervisor.look()
    (_, _, former), (_, _, latter) = started
    assert former.poll() is not None
    assert latter.poll() is None


def test_one_that_still_starts_is_left_alone(store, started, monkeypatch):
    supervisor = Supervisor(store, (Lane.RUNS,))
    monkeypatch.setattr(store.heartbeats, "alive", lambda *_: [])
    monkeypatch.setattr(store.heartbeats, "reserve", lambda *_: True)
    supervisor.look()
    supervisor.look()
    assert [process.poll() for _, _, process in started] == [None, None]


@pytest.mark.parametrize(("clock", "rests"), [(2.0, 1), (3600.0, 2)])
def test_after_a_sleep_workers_have_a_moment_to_say_that_they_live(store, monkeypatch, clock, rests):
    supervisor, waited, now = Supervisor(store, (Lane.RUNS,)), [], [1000.0]

    def wait(seconds):
        waited.append(seconds)
        now[0] += clock

    monkeypatch.setattr(supervisor_module, "time", SimpleNamespace(time=lambda: now[0]))
    monkeypatch.setattr(supervisor, "_stopping", SimpleNamespace(wait=wait))
    supervisor._rest()
    assert waited == [supervisor_module.BEAT_SECONDS] * rests


@pytest.mark.slow
def test_waiting_job_for_another_device_gets_a_worker_of_its_own(store, started, wait_until):
    supervisor = Supervisor(store, (Lane.RUNS,))
    supervisor.look()
    wait_until(lambda: store.heartbeats.alive(WORKER))
    store.submit("quick", {"number": 1}, device="cuda:3")
    supervisor.look()
    assert [device for _, device, _ in started] == ["auto", "cuda:3"]


def test_worker_that_never_lives_is_given_up_with_a_sentence(store, started, wait_until):
    supervisor = Supervisor(store, (Lane.RUNS,))
    for _ in range(5):
        supervisor.look()
        if len(started) <= 3:
            started[-1][2].kill()
            started[-1][2].wait()
    assert len(started) == 3
    assert "worker.log" in supervisor.trouble


@pytest.mark.slow
def test_supervisor_watches_in_a_thread_and_says_good_bye(store, started, wait_until):
    supervisor = Supervisor(store, (Lane.RUNS,))
    assert supervisor.trouble == ""
    supervisor.start()
    wait_until(lambda: store.heartbeats.alive(WORKER))
    supervisor.stop()
    assert store.heartbeats.alive(DASHBOARD) == []


def test_supervisor_clears_away_what_was_deleted_long_ago(store, started, monkeypatch):
    purged = []
    monkeypatch.setattr(store, "purge", lambda: purged.append(1))
    supervisor = Supervisor(store, ())
    supervisor.look()
    supervisor.look()
    assert purged == [1], "once an hour"
