"""What a person does to jobs in the list: name, note, delete, restore."""

from __future__ import annotations

import pytest

from zspag_core.jobs import Command, Lane, State
from zspag_core.jobs.folders import state_folder
from zspag_core.jobs.schema import TITLE_LENGTH


@pytest.fixture
def done(store):
    """A finished job with a folder and an event."""
    job = store.submit("a", {"x": 1})
    store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")
    claimed = store.claim(Lane.RUNS, "w", "cpu")
    store.record(claimed, "epoch", {"epoch": 1})
    store.finish(claimed, State.DONE, answer=1)
    job.folder.mkdir(parents=True)
    (job.folder / "result.json").write_text("{}")
    return store.require(job.id)


def test_title_is_one_line_and_can_be_taken_away(store, done):
    store.rename(done.id, "  cats\n and dogs ")
    assert store.require(done.id).title == "cats and dogs"
    store.rename(done.id, "x" * 500)
    assert len(store.require(done.id).title) == TITLE_LENGTH
    store.rename(done.id, " ")
    assert store.require(done.id).title == ""


def test_note_keeps_its_lines(store, done):
    store.annotate(done.id, "first\nsecond \n")
    assert store.require(done.id).note == "first\nsecond"


def test_deleted_job_leaves_the_list_and_comes_back(store, done):
    store.delete(done.id)
    assert store.latest() == []
    assert [job.id for job in store.latest(include_deleted=True)] == [done.id]
    assert store.recall("a", {"x": 1}) is None
    assert store.require(done.id).deleted is not None
    assert store.restore(done.id)
    assert [job.id for job in store.latest()] == [done.id]
    assert not store.restore(done.id)


def test_folder_stays_for_a_day_and_goes_with_the_purge(store, done, monkeypatch):
    store.delete(done.id)
    assert store.purge() == 0
    assert (done.folder / "result.json").exists()
    state = state_folder(done.id)
    state.mkdir()
    assert store.purge(after_seconds=-1) == 1
    assert not done.folder.exists()
    assert not state.exists()
    assert store.get(done.id) is None
    assert store.events(done.id) == []


def test_purge_leaves_what_was_restored(store, done):
    store.delete(done.id)
    store.restore(done.id)
    assert store.purge(after_seconds=-1) == 0
    assert store.get(done.id) is not None


def test_deleting_a_run_under_way_stops_it_and_the_purge_waits_for_its_end(store):
    job = store.submit("a", {})
    store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")
    claimed = store.claim(Lane.RUNS, "w", "cpu")
    store.delete(job.id)
    assert store.require(job.id).command == Command.CANCEL
    assert store.purge(after_seconds=-1) == 0
    store.finish(claimed, State.CANCELLED)
    assert store.purge(after_seconds=-1) == 1


def test_deleting_a_waiting_run_takes_it_out_of_the_queue(store):
    job = store.submit("a", {})
    store.delete(job.id)
    assert store.require(job.id).state == State.CANCELLED
