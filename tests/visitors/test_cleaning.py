from __future__ import annotations

import pytest

from zspag_core.jobs import Lane, State
from zspag_core.jobs.supervisor import Supervisor
from zspag_core.visitors import cleaning as cleaning_module
from zspag_core.visitors.cleaning import Cleaning
from zspag_core.visitors.presence import CLEANING, Presence

DATABASES = ("sqlite", "postgres")
BUDGET_GB = 0.001


@pytest.fixture
def made(store, run):
    """Return a function that makes a run of some kB."""

    def made(size_kb, owner="a"):
        store.submit("unlearn", {}, owner=owner)
        job = run(answer={})
        job.folder.mkdir(parents=True)
        (job.folder / "model").write_bytes(b"0" * size_kb * 1000)
        return job

    return made


@pytest.fixture
def presence(store):
    return Presence(store.engine)


@pytest.fixture
def due(store, monkeypatch):
    """Return a function after which what was announced is due."""

    def due():
        before = store.now
        monkeypatch.setattr(store, "now", lambda: before() + cleaning_module.ANNOUNCED_SECONDS + 1)

    return due


@pytest.mark.slow
def test_the_oldest_go_once_that_was_announced_long_enough(store, made, presence, due):
    old, middle, new = made(390), made(390), made(390)
    cleaning = Cleaning(store, BUDGET_GB)
    cleaning.look()
    body, _ = presence.notice(CLEANING)
    assert body["runs"] == [old.id], "0.8 of the budget is left for the others"
    cleaning.look()
    assert len(store.latest()) == 3, "nothing goes before its time"
    due()
    cleaning.look()
    assert [job.id for job in store.latest()] == [new.id, middle.id]
    assert not old.folder.exists()
    assert store.get(old.id) is None
    assert presence.notice(CLEANING) is None


def test_what_is_pinned_meanwhile_stays(store, made, due):
    old, other = made(700), made(700)
    cleaning = Cleaning(store, BUDGET_GB)
    cleaning.look()
    store.pin(old.id, pinned=True)
    due()
    cleaning.look()
    assert old.folder.exists()
    cleaning.look()
    due()
    cleaning.look()
    assert {job.id for job in store.latest()} == {old.id}
    assert not other.folder.exists()
    store.pin(old.id, pinned=False)
    assert store.require(old.id).pinned is None


def test_a_clean_up_that_is_not_needed_any_more_is_called_off(store, made, presence, due):
    old, new = made(700), made(700)
    cleaning = Cleaning(store, BUDGET_GB)
    cleaning.look()
    store.delete(new.id)
    due()
    cleaning.look()
    assert presence.notice(CLEANING) is None
    assert store.get(old.id) is not None


def test_runs_under_way_and_runs_made_without_sharing_stay(store, made, presence, due):
    before = made(5_000, owner="")
    store.submit("unlearn", {}, owner="a")
    store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")
    running = store.claim(Lane.RUNS, "w", "cpu")
    running.folder.mkdir(parents=True)
    (running.folder / "model").write_bytes(b"0" * 2_000_000)
    cleaning = Cleaning(store, BUDGET_GB)
    cleaning.look()
    assert presence.notice(CLEANING) is None, "there is nothing that may go"
    assert not store.clear_away(running.id)
    store.finish(running, State.DONE)
    cleaning.look()
    due()
    cleaning.look()
    assert [job.id for job in store.latest()] == [before.id]


def test_without_a_budget_nothing_goes(store, made, presence):
    made(5_000)
    Cleaning(store, 0).look()
    assert presence.notice(CLEANING) is None


def test_the_supervisor_looks_now_and_then(store):
    looked = []
    keeper = Supervisor(store, lanes=(), chore=lambda: looked.append(1))
    keeper.look()
    keeper.look()
    assert looked == [1]
