from __future__ import annotations

import pytest

from zspag_core.jobs import Lane, State
from zspag_core.jobs import keeper as keeper_module
from zspag_core.jobs.beats import DASHBOARD, WORKER
from zspag_core.jobs.keeper import Keeper


@pytest.fixture
def started(start_server, monkeypatch):
    """Replace the real worker by one that needs no torch; return what was started."""
    processes = []

    def start(lane, device):
        process = start_server(lane)
        processes.append((lane, device, process))
        return process

    monkeypatch.setattr(keeper_module, "start_worker", start)
    return processes


def test_every_lane_gets_one_worker(store, started, wait_until):
    keeper = Keeper(store)
    keeper.look()
    keeper.look()
    assert [(lane, device) for lane, device, _ in started] == [("runs", "auto"), ("interactive", "auto")]
    wait_until(lambda: len(store.beats.alive(WORKER)) == 2)
    keeper.look()
    assert len(started) == 2
    assert len(store.beats.alive(DASHBOARD)) == 1


def test_a_lane_on_demand_gets_a_worker_when_a_job_waits(store, started, wait_until):
    keeper = Keeper(store, (Lane.MAPS,))
    keeper.look()
    assert started == []
    job = store.submit("quick", {"number": 3}, lane=Lane.MAPS)
    keeper.look()
    assert [(lane, device) for lane, device, _ in started] == [("maps", "auto")]
    wait_until(lambda: store.require(job.id).state == State.DONE)
    keeper.look()
    assert len(started) == 1


def test_two_dashboards_do_not_start_two(store, started):
    for keeper in (Keeper(store, (Lane.RUNS,)), Keeper(store, (Lane.RUNS,))):
        keeper.look()
    assert len(started) == 1


def test_killed_worker_is_replaced_and_its_job_interrupted_at_once(store, started, wait_until):
    keeper = Keeper(store, (Lane.RUNS,))
    run = store.submit("endless", {})
    keeper.look()
    wait_until(lambda: store.require(run.id).progress)
    started[0][2].kill()
    started[0][2].wait()
    keeper.look()
    assert store.require(run.id).state == State.INTERRUPTED
    assert len(started) == 2
    after = store.submit("quick", {"number": 2})
    wait_until(lambda: store.require(after.id).state == State.DONE)


def test_waiting_job_for_another_device_gets_a_worker_of_its_own(store, started, wait_until):
    keeper = Keeper(store, (Lane.RUNS,))
    keeper.look()
    wait_until(lambda: store.beats.alive(WORKER))
    store.submit("quick", {"number": 1}, device="cuda:3")
    keeper.look()
    assert [device for _, device, _ in started] == ["auto", "cuda:3"]


def test_worker_that_never_lives_is_given_up_with_a_sentence(store, started, wait_until):
    keeper = Keeper(store, (Lane.RUNS,))
    for _ in range(5):
        keeper.look()
        if len(started) <= 3:
            started[-1][2].kill()
            started[-1][2].wait()
    assert len(started) == 3
    assert "worker.log" in keeper.trouble


def test_keeper_watches_in_a_thread_and_says_good_bye(store, started, wait_until):
    keeper = Keeper(store, (Lane.RUNS,))
    assert keeper.trouble == ""
    keeper.start()
    wait_until(lambda: store.beats.alive(WORKER))
    keeper.stop()
    assert store.beats.alive(DASHBOARD) == []


def test_keeper_clears_away_what_was_deleted_long_ago(store, started, monkeypatch):
    purged = []
    monkeypatch.setattr(store, "purge", lambda: purged.append(1))
    keeper = Keeper(store, ())
    keeper.look()
    keeper.look()
    assert purged == [1], "once an hour"
