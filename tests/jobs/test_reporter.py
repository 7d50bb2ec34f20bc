from __future__ import annotations

import threading
import time

import pytest

from zspag_core.errors import Cancelled
from zspag_core.jobs import Lane
from zspag_core.jobs import reporter as reporter_module
from zspag_core.jobs.reporter import JobReporter
from zspag_core.methods.base import timed


@pytest.fixture
def job(store):
    store.submit("a", {})
    store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")
    return store.claim(Lane.RUNS, "w", "cpu")


@pytest.fixture
def report(store, job):
    return JobReporter(store, job, threading.Event())


def test_progress_is_written_with_count_and_figures(store, job, report):
    report.progress("proxies", 3, 10, asr=50.0)
    progress = store.require(job.id).progress
    assert progress["stage"] == "proxies"
    assert (progress["done"], progress["total"], progress["figures"]) == (3, 10, {"asr": 50.0})


def test_progress_says_what_was_done_before_this_attempt(store, job, report, monkeypatch):
    monkeypatch.setattr(reporter_module, "WRITE_SECONDS", 0.0)
    report.progress("unlearn", 40, 100)
    report.progress("unlearn", 41, 100)
    assert store.require(job.id).progress["first"] == 40
    report.progress("evaluate", 0, 100)
    assert store.require(job.id).progress["first"] == 0


def test_progress_is_written_a_few_times_a_second_only(store, job, report, monkeypatch):
    written = []
    advance = store.advance
    monkeypatch.setattr(store, "advance", lambda *given: written.append(given[1]["done"]) or advance(*given))
    monkeypatch.setattr(reporter_module, "WRITE_SECONDS", 3600.0)
    for step in range(50):
        report.progress("proxies", step, 50)
    report.progress("unlearn", 0, 5)
    assert written == [0, 0], "once when a stage begins, then not before the interval is over"


def test_each_stage_is_an_event_once(store, job, report):
    for stage in ("load", "proxies", "proxies", "unlearn"):
        report.progress(stage, 0, 1)
    assert [event.body["stage"] for event in store.events(job.id)] == ["load", "proxies", "unlearn"]


def test_grading_before_the_method_is_told_from_that_after(store, job, report):
    for stage in ("load", "evaluate", "proxies", "evaluate"):
        report.progress(stage, 0, 1)
    assert [event.body["stage"] for event in store.events(job.id)] == ["load", "before", "proxies", "evaluate"]


def test_seconds_of_a_stage_last_until_the_next_one(store, job, monkeypatch):
    clock = iter([0.0, 1.0, 2.0, 5.0, 6.0])
    monkeypatch.setattr(reporter_module, "WRITE_SECONDS", 0.0)
    monkeypatch.setattr(reporter_module.time, "time", lambda: next(clock))
    monkeypatch.setattr(store, "record", lambda *_: None)
    report = JobReporter(store, job, threading.Event())
    report.progress("proxies", 0, 2)
    report.progress("proxies", 1, 2)
    report.progress("proxies", 2, 2)
    report.progress("unlearn", 0, 2)
    assert store.require(job.id).progress["seconds"] == {"proxies": 6.0, "unlearn": 0.0}


def test_epoch_is_an_event_with_its_figures(store, job, report):
    report.epoch(2, 10, None, loss=0.5, acc_rt=99.0, acc_ut=float("nan"))
    (event,) = store.events(job.id)
    assert (event.kind, event.body) == (
        "epoch",
        {"epoch": 2, "total": 10, "loss": 0.5, "acc_rt": 99.0, "acc_ut": None},
    )


def test_cancel_is_raised_at_the_next_report_and_at_every_later_one(store, job, report, monkeypatch):
    monkeypatch.setattr(reporter_module, "WRITE_SECONDS", 0.0)
    report.progress("unlearn", 0, 2)
    store.cancel(job.id)
    for _ in range(2):
        with pytest.raises(Cancelled):
            report.progress("unlearn", 1, 2)
    assert report.stopped


def test_stopping_worker_stops_its_job_at_once(store, job):
    stopping = threading.Event()
    report = JobReporter(store, job, stopping)
    report.progress("unlearn", 0, 2)
    stopping.set()
    with pytest.raises(Cancelled):
        report.progress("unlearn", 1, 2)


def test_job_that_another_took_over_stops(store, job, report):
    store.heartbeats.forget("w")
    store.interrupt_orphans()
    with pytest.raises(Cancelled):
        report.progress("unlearn", 0, 2)


def test_paused_job_waits_until_it_may_go_on(store, job, report):
    store.pause(job.id)
    thread = threading.Thread(target=report.progress, args=("unlearn", 0, 2))
    thread.start()
    time.sleep(0.6)
    assert thread.is_alive()
    waited = store.require(job.id).progress["waited"]
    store.unpause(job.id)
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert waited > 0, "the clock of the page leaves a pause out"


def test_a_pause_is_no_time_of_a_stage(store, job, report):
    seconds = {}

    def stage():
        with timed(seconds, "unlearn"):
            report.progress("unlearn", 0, 2)

    store.pause(job.id)
    thread = threading.Thread(target=stage)
    thread.start()
    time.sleep(1.2)
    store.unpause(job.id)
    thread.join(timeout=10)
    waited = store.require(job.id).progress["waited"]
    assert waited > 0.9
    assert seconds["unlearn"] < waited


def test_a_step_lets_a_paused_job_make_one_epoch(store, job, report, monkeypatch):
    monkeypatch.setattr(reporter_module, "WRITE_SECONDS", 0.05)
    reached = []

    def work():
        for number in range(4):
            report.progress("unlearn", number, 4)
            report.epoch(number, 3, None)
            reached.append(number)

    store.step(job.id)
    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.6)
    assert reached == [0], "epoch 0 is the model before; the step ends with epoch 1"
    assert len(store.events(job.id)) == 3, "its figures are written before it waits"
    store.step(job.id)
    time.sleep(0.6)
    assert reached == [0, 1]
    store.unpause(job.id)
    thread.join(timeout=10)
    assert reached == [0, 1, 2, 3]


def test_job_that_waits_after_a_step_can_be_cancelled(store, job, report):
    report.progress("unlearn", 0, 4)
    store.step(job.id)
    threading.Timer(0.4, store.cancel, (job.id,)).start()
    with pytest.raises(Cancelled):
        report.epoch(1, 3, None)


def test_a_frame_of_watched_images_is_an_event_the_first_with_the_images(store, job, report):
    import torch

    from zspag_core.progress import Frame

    images, labels = torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.tensor([3, 5])
    maps = torch.full((2, 2, 2), 0.123456)
    for epoch in (0, 1):
        report.watch(Frame(epoch, "stage 2", images, labels, maps, torch.tensor([0.5, 0.25]), torch.tensor([3, 1])))
    first, second = (event.body for event in store.events(job.id) if event.kind == "watch")
    assert second == {
        "epoch": 1, "layer": "stage 2", "maps": [[[0.1235, 0.1235]] * 2] * 2, "probability": [0.5, 0.25],
        "predicted": [3, 1]
    }  # fmt: skip
    assert first["labels"] == [3, 5]
    assert [picture[:22] for picture in first["pictures"]] == ["data:image/png;base64,"] * 2


def test_what_a_run_has_come_to_is_an_event_but_not_of_a_trial(store, job, report):
    report.graded({"after": {"acc_rt": 99.0, "mia": None}})
    told = [(event.kind, event.body) for event in store.events(job.id)]
    assert told == [("graded", {"after": {"acc_rt": 99.0, "mia": None}})]
    trial = store.submit("unlearn", {"trial": 1})
    JobReporter(store, trial, threading.Event()).graded({"after": None})
    assert store.events(trial.id) == []


def test_what_a_person_should_know_is_an_event_but_not_of_a_trial(store, job, report):
    report.note("are all of them of '3'?")
    assert [(event.kind, event.body) for event in store.events(job.id)] == [
        ("note", {"sentence": "are all of them of '3'?"})
    ]
    trial = store.submit("unlearn", {"trial": 1})
    JobReporter(store, trial, threading.Event()).note("as above")
    assert store.events(trial.id) == []


def test_relearning_is_part_of_the_grading(store, job, report):
    report.progress("evaluate", 10, 10)
    report.progress("relearning", 2, 500)
    report.progress("proxies", 1, 10)
    report.progress("relearning", 4, 500)
    stages = [event.body["stage"] for event in store.events(job.id) if event.kind == "stage"]
    assert stages == ["before", "proxies", "evaluate"]


def test_a_job_that_only_relearns_says_so(store):
    store.submit("relearning", {})
    job = store.claim(Lane.RUNS, "w", "cpu")
    JobReporter(store, job, threading.Event()).progress("relearning", 2, 500)
    assert [event.body["stage"] for event in store.events(job.id) if event.kind == "stage"] == ["relearning"]


def test_what_is_seen_within_an_epoch_is_an_event_but_not_of_a_trial(store, job, report):
    report.partway(0.4371, None, loss=2.0, acc_rt=90.0)
    (event,) = store.events(job.id)
    assert (event.kind, event.body) == ("partway", {"epoch": 0.44, "loss": 2.0, "acc_rt": 90.0})
    trial = store.submit("unlearn", {"trial": 1})
    JobReporter(store, trial, threading.Event()).partway(0.5, None, loss=1.0)
    assert store.events(trial.id) == []
