from __future__ import annotations

import threading

import pytest

from zspag_core.errors import UsageError
from zspag_core.jobs import Command, Lane, State
from zspag_core.jobs import store as store_module

DATABASES = ("sqlite", "postgres")


def claim(store, worker="w", device="cpu", lane=Lane.RUNS):
    store.heartbeats.beat(worker, "worker", (lane,), device)
    return store.claim(lane, worker, device)


def test_submitted_job_waits_with_its_config(store):
    job = store.submit("unlearn", {"forget": [3], "settings": {"epochs": 2}})
    assert job.state == State.QUEUED
    assert job.active
    assert job.config == {"forget": [3], "settings": {"epochs": 2}}
    assert len(job.id) == 24
    assert store.get(job.id) == job
    assert store.get("nobody") is None


def test_required_job_that_is_not_there_is_named(store):
    with pytest.raises(UsageError, match="nobody"):
        store.require("nobody")


def test_claims_come_in_the_order_of_submission(store):
    first, second = store.submit("a", {}), store.submit("b", {})
    assert [claim(store).id, claim(store).id] == [first.id, second.id]
    assert claim(store) is None


def test_claim_says_who_and_when(store):
    job = store.submit("a", {})
    taken = claim(store, "w1")
    assert (taken.state, taken.worker) == (State.RUNNING, "w1")
    assert taken.started >= job.created


def test_lanes_do_not_mix(store):
    store.submit("a", {}, lane=Lane.INTERACTIVE)
    assert claim(store) is None
    assert claim(store, lane=Lane.INTERACTIVE) is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "worker", "taken"),
    [
        ("auto", "cuda:1", True),
        ("cpu", "cuda:1", True),
        ("cuda:1", "cuda:1", True),
        ("cuda", "cuda:1", True),
        ("cuda:0", "cuda:1", False),
        ("cuda:0", "cpu", False),
    ],
)
def test_job_goes_to_a_worker_that_has_its_device(store, asked, worker, taken):
    store.submit("a", {}, device=asked)
    assert (claim(store, device=worker) is not None) == taken
    assert store.waiting_devices(Lane.RUNS) == (set() if taken else {asked})


@pytest.mark.slow
def test_many_workers_take_every_job_exactly_once(store):
    wanted = [store.submit("a", {}).id for _ in range(30)]
    taken: list[str] = []

    def work(name):
        while (job := claim(store, name)) is not None or store.active(Lane.RUNS) > len(taken):
            if job is not None:
                taken.append(job.id)

    threads = [threading.Thread(target=work, args=(f"w{k}",)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(wanted)


def test_runs_are_numbered_without_the_questions_between_them(store):
    numbers = []
    for _ in range(3):
        numbers.append(store.submit("unlearn", {}).number)
        store.submit("preview", {}, lane=Lane.INTERACTIVE)
    assert numbers == [1, 2, 3]
    assert [job.number for job in store.latest(Lane.INTERACTIVE)] == [3, 2, 1]


def test_place_in_the_queue_counts_what_is_ahead_in_the_same_lane(store):
    jobs = [store.submit("a", {}) for _ in range(3)]
    store.submit("a", {}, lane=Lane.INTERACTIVE)
    claim(store)
    assert [job.id for job in store.ahead(jobs[2])] == [jobs[0].id, jobs[1].id]
    assert store.ahead(jobs[0]) == []


def test_cancelled_waiting_job_is_never_claimed(store):
    job = store.submit("a", {})
    store.cancel(job.id)
    assert store.require(job.id).state == State.CANCELLED
    assert store.require(job.id).finished is not None
    assert claim(store) is None


def test_commands_reach_the_running_job(store):
    store.submit("a", {})
    job = claim(store)
    assert store.advance(job, {"stage": "unlearn"}) == Command.NONE
    store.pause(job.id)
    assert store.advance(job, {}) == Command.PAUSE
    store.unpause(job.id)
    assert store.advance(job, {}) == Command.NONE
    store.cancel(job.id)
    store.pause(job.id)
    assert store.advance(job, {}) == Command.CANCEL


def test_finished_job_keeps_its_answer_and_cannot_be_cancelled(store):
    store.submit("a", {})
    job = claim(store)
    assert store.finish(job, State.DONE, answer={"acc": float("nan")})
    store.cancel(job.id)
    done = store.require(job.id)
    assert (done.state, done.answer, done.command) == (State.DONE, {"acc": None}, Command.NONE)
    assert not done.active


def test_worker_that_was_taken_for_dead_can_write_nothing_more(store, monkeypatch):
    store.submit("a", {})
    job = claim(store)
    monkeypatch.setattr(store_module, "STALE_SECONDS", 0.0)
    assert store.interrupt_orphans() == 1
    assert store.advance(job, {"stage": "late"}) is None
    assert not store.finish(job, State.DONE, answer=1)
    now = store.require(job.id)
    assert (now.state, now.answer, now.progress) == (State.INTERRUPTED, None, {})
    assert "ended before" in now.error
    assert claim(store) is None, "an interrupted job must not run again by itself"


def test_job_of_a_living_worker_is_left_alone(store):
    store.submit("a", {})
    claim(store)
    assert store.interrupt_orphans() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (["step"], Command.STEP),
        (["pause", "step"], Command.STEP),
        (["step", "pause"], Command.PAUSE),
        (["step", "unpause"], Command.NONE),
        (["cancel", "step"], Command.CANCEL),
        (["cancel", "unpause"], Command.CANCEL),
    ],
)
def test_the_last_command_counts_but_nothing_takes_a_cancel_back(store, asked, left):
    store.submit("a", {})
    job = claim(store)
    for command in asked:
        getattr(store, command)(job.id)
    assert store.require(job.id).command == left


def test_a_step_that_ends_is_a_pause(store):
    store.submit("a", {})
    job = claim(store)
    assert not store.step_ends(job)
    store.step(job.id)
    assert store.step_ends(job)
    assert store.require(job.id).command == Command.PAUSE


def test_one_who_just_started_to_watch_judges_nobody(store, monkeypatch):
    store.submit("a", {})
    job = claim(store)
    store.heartbeats.forget("w")
    clock = iter([1000.0, 1002.0, 1005.0, 1100.0, 1102.0, 1105.0, 300.0, 302.0, 305.0])
    monkeypatch.setattr(store, "now", lambda: next(clock))
    monkeypatch.setattr(store, "interrupt_orphans", lambda: 1)
    assert [store.reap() for _ in range(3)] == [0, 0, 1]
    assert [store.reap() for _ in range(3)] == [0, 0, 1], "after a sleep of the machine it starts anew"
    assert [store.reap() for _ in range(3)] == [0, 0, 1], "and where the clock was put back"
    assert store.require(job.id).state == State.RUNNING


@pytest.mark.slow
def test_resumed_job_starts_clean_under_its_own_name(store):
    store.submit("a", {})
    job = claim(store)
    store.record(job, "epoch", {"epoch": 1})
    store.finish(job, State.FAILED, error="no", details="trace")
    assert store.resume(job.id)
    again = store.require(job.id)
    assert (again.state, again.error, again.details, again.started) == (State.QUEUED, "", "", None)
    assert store.events(job.id) == []
    assert claim(store).id == job.id


def test_answers_about_the_attempt_that_ended_are_not_recalled(store):
    store.submit("a", {})
    job = claim(store)
    store.finish(job, State.CANCELLED)
    about_it, about_another = {"run": job.id, "kind": "pca"}, {"run": "0" * 24, "kind": "pca"}
    for config in (about_it, about_another):
        store.submit("map", config, lane=Lane.INTERACTIVE)
    assert store.resume(job.id)
    assert store.recall("map", about_it) is None
    assert store.recall("map", about_another) is not None


def test_only_jobs_that_ended_early_can_be_resumed(store):
    job = store.submit("a", {})
    assert not store.resume(job.id)
    store.finish(claim(store), State.DONE)
    assert not store.resume(job.id)
    assert not store.resume("nobody")


def test_events_come_in_order_and_from_a_place_on(store):
    job = store.submit("a", {})
    for number in range(3):
        store.record(job, "epoch", {"epoch": number, "loss": float("inf")})
    events = store.events(job.id)
    assert [event.body for event in events] == [{"epoch": n, "loss": None} for n in range(3)]
    assert store.events(job.id, after=events[1].sequence) == events[2:]


def test_recall_finds_the_newest_job_of_an_equal_config(store):
    store.submit("a", {"x": 1, "y": 2})
    newest = store.submit("a", {"y": 2, "x": 1})
    assert store.recall("a", {"x": 1, "y": 2}).id == newest.id
    assert store.recall("b", {"x": 1, "y": 2}) is None
    assert store.recall("a", {"x": 1}) is None


def test_latest_runs_come_newest_first(store):
    ids = [store.submit("a", {}).id for _ in range(3)]
    assert [job.id for job in store.latest(limit=2)] == [ids[2], ids[1]]


def test_latest_can_leave_out_what_never_began(store):
    waiting, cancelled, stopped = (store.submit("unlearn", {"number": number}) for number in range(3))
    store.cancel(cancelled.id)
    assert store.require(cancelled.id).state == State.CANCELLED
    for _ in (waiting, stopped):
        store.finish(claim(store), State.CANCELLED)
    assert [job.id for job in store.latest(begun=True)] == [stopped.id, waiting.id]
    assert len(store.latest()) == 3


def test_latest_can_be_of_one_kind(store):
    wanted = store.submit("unlearn", {})
    store.submit("train", {})
    assert [job.id for job in store.latest(kind="unlearn")] == [wanted.id]


def test_jobs_of_a_comparison_are_gathered(store):
    alone = store.submit("a", {})
    first, other, second = (store.submit("a", {}, comparison=name) for name in ("mine", "other", "mine"))
    assert alone.comparison == ""
    assert first.comparison == "mine"
    assert [job.id for job in store.latest(comparison="mine")] == [second.id, first.id]
    assert store.comparisons() == ["mine", "other"]
    store.delete(other.id)
    assert store.comparisons() == ["mine"]
    store.cancel(first.id)
    store.resume(first.id)
    assert store.require(first.id).comparison == "mine"


def test_run_folder_lies_under_home(store, home):
    job = store.submit("a", {})
    assert job.folder == home / "runs" / job.id
