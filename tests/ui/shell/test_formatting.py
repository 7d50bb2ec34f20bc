from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ui.shell.formatting import (
    as_sentence,
    between,
    between_words,
    counted,
    duration,
    epochs_of,
    headline,
    percent,
    result_table,
    seconds_left,
    steps,
    worked,
    worked_words,
)
from zspag_core.jobs import Command, Event, Job, State


def job(state=State.RUNNING, progress=None, answer=None):
    return Job(
        id="x",
        number=1,
        kind="unlearn",
        lane="runs",
        config={"forget": [3]},
        device="auto",
        state=state,
        command=Command.NONE,
        worker="w",
        created=0.0,
        started=1.0,
        finished=None,
        progress=progress or {},
        answer=answer,
        error="",
        details="",
        folder=Path("x"),
    )


@pytest.mark.parametrize(
    ("value", "sign", "text"),
    [
        (86.2427, False, "86.2 %"),
        (None, False, "–"),
        (1.94, True, "+1.9"),
        (-1.94, True, "−1.9"),
        (-0.01, True, "+0.0"),
    ],
)
def test_percentages_read_as_people_write_them(value, sign, text):
    assert percent(value, sign=sign) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.42, "0.4 s"), (12.3, "12 s"), (180, "3 min"), (7500, "2 h 5 min")])
def test_durations_read_as_people_write_them(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("ends", "text"),
    [((4.0, 4.0), "4.0 %"), ((4.0, 4.04), "4.0 %"), ((4.06, 4.12), "4.1 %"), ((4.0, 69.2), "4.0 to 69.2 %")],
)
def test_ranges_read_as_people_write_them(ends, text):
    assert between(*ends) == text


def test_a_pause_is_no_work():
    assert worked(replace(job(State.QUEUED), started=None)) is None
    done = replace(job(State.DONE, progress={"waited": 12.5}), started=100.0, finished=130.0)
    assert worked(done) == 17.5
    assert worked(replace(done, progress={})) == 30.0
    assert worked_words(done) == " · 18 s"


@pytest.mark.parametrize(
    ("given", "text"), [((1, "run"), "1 run"), ((0, "run"), "0 runs"), ((2, "proxy", "proxies"), "2 proxies")]
)
def test_things_are_counted(given, text):
    assert counted(*given) == text


def test_steps_before_anything_happened_all_wait():
    found = steps(job(State.QUEUED), [])
    assert [step.name for step in found] == ["load", "proxies", "subspace", "labels", "unlearn", "before", "evaluate"]
    assert {step.status for step in found} == {"waiting"}


def test_running_step_has_count_and_time_left():
    progress = {"stage": "proxies", "done": 5, "total": 20, "seconds": {"load": 0.5, "proxies": 4.0}}
    found = {step.name: step for step in steps(job(progress=progress), ["load", "proxies"])}
    assert (found["load"].status, found["load"].note) == ("done", "0.5 s")
    assert (found["proxies"].status, found["proxies"].note) == ("running", "5 of 20 · 12 s left")
    assert found["proxies"].share == pytest.approx(0.25)
    assert found["unlearn"].status == "waiting"
    assert found["before"].status == "waiting"


def test_a_grade_of_the_original_that_came_first_passes_no_stage_over():
    progress = {"stage": "proxies", "done": 5, "total": 20, "seconds": {"load": 0.5, "before": 1.0, "proxies": 1.0}}
    found = {step.name: step.status for step in steps(job(progress=progress), ["load", "before", "proxies"])}
    assert found["before"] == "done"
    assert found["subspace"] == found["evaluate"] == "waiting"
    progress["stage"] = "before"
    early = {step.name: step.status for step in steps(job(progress=progress), ["load", "before"])}
    assert (early["before"], early["proxies"]) == ("running", "waiting")


@pytest.mark.parametrize(
    ("stage", "left"),
    [("unlearn", " · at most 38 s left"), ("proxies", " · 38 s left"), ("before", ""), ("evaluate", "")],
)
def test_time_left_is_told_as_far_as_it_can_be_known(stage, left):
    progress = {"stage": stage, "done": 25, "total": 500, "seconds": {stage: 2.0}}
    (found,) = (step for step in steps(job(progress=progress), [stage]) if step.name == stage)
    assert found.note == f"25 of 500{left}"


def test_time_left_counts_what_this_attempt_has_made():
    progress = {"stage": "unlearn", "done": 60, "first": 50, "total": 100, "seconds": {"unlearn": 5.0}}
    assert seconds_left(job(progress=progress)) == pytest.approx(20)
    assert seconds_left(job(progress=progress | {"first": 60})) is None, "nothing was made yet"
    assert seconds_left(job(progress={})) is None


@pytest.mark.parametrize("changes", [{"state": State.CANCELLED}, {"command": Command.PAUSE}])
def test_no_time_is_left_where_nothing_moves(changes):
    progress = {"stage": "unlearn", "done": 2, "total": 10, "seconds": {"unlearn": 5.0}}
    assert seconds_left(replace(job(progress=progress), **changes)) is None


def test_time_that_no_stage_counts_is_said_of_a_finished_run():
    progress = {
        "stage": "evaluate",
        "done": 3,
        "total": 3,
        "seconds": {"unlearn": 10.0, "evaluate": 5.5},
        "waited": 2.0,
    }
    done = replace(job(State.DONE, progress), started=100.0, finished=120.0)
    assert between_words(done) == ", 2.5 s of it between the stages"
    assert between_words(replace(done, finished=118.0)) == "", "half a second"
    assert between_words(job(progress=progress)) == ""


def test_steps_of_a_stopped_run_show_where_it_stopped():
    progress = {"stage": "unlearn", "done": 2, "total": 10, "seconds": {"unlearn": 0.2}}
    found = steps(job(State.CANCELLED, progress), ["load", "unlearn"])
    told = {step.name: (step.status, step.note) for step in found}
    assert (told["load"][0], told["unlearn"][0]) == ("done", "stopped")
    assert told["proxies"] == ("skipped", "not in this run")
    assert told["evaluate"] == ("skipped", "not reached")


def test_the_row_of_stages_is_as_long_at_the_end_as_at_the_beginning():
    progress = {"stage": "evaluate", "done": 2, "total": 3, "seconds": {"evaluate": 1.0}}
    found = steps(job(State.DONE, progress), ["load", "evaluate"])
    assert {step.status for step in found if step.name in {"load", "evaluate"}} == {"done"}
    assert {step.status for step in found if step.name not in {"load", "evaluate"}} == {"skipped"}
    assert [step.name for step in found] == [step.name for step in steps(job(State.QUEUED), [])]


def test_unknown_stage_of_a_new_method_is_shown():
    progress = {"stage": "distil", "done": 1, "total": 2, "seconds": {}}
    assert [step.name for step in steps(job(progress=progress), ["load", "distil"])][-2:] == ["distil", "evaluate"]


def test_epochs_begin_with_the_model_before():
    events = [
        Event(1, "epoch", 0.0, {"epoch": 1, "acc_rt": 80.0, "acc_ut": 5.0, "loss": 1.0}),
        Event(2, "stage", 0.0, {}),
    ]
    result = {"before": {"acc_rt": 90.0, "acc_ut": 85.0}, "history": [{"epoch": 2, "acc_rt": 81.0, "acc_ut": 0.0}]}
    assert [(row["epoch"], row["acc_ut"]) for row in epochs_of(events, result)] == [(0, 85.0), (1, 5.0), (2, 0.0)]
    assert [row["epoch"] for row in epochs_of(events, None)] == [1]


def test_parts_of_an_epoch_are_shown_until_the_next_has_ended():
    said = [(0, "epoch"), (0.4, "partway"), (0.8, "partway"), (1, "epoch"), (1.3, "partway")]
    events = [Event(place, kind, 0.0, {"epoch": number}) for place, (number, kind) in enumerate(said)]
    assert [row["epoch"] for row in epochs_of(events[:3], None)] == [0, 0.4, 0.8]
    assert [row["epoch"] for row in epochs_of(events, None)] == [0, 0.4, 0.8, 1, 1.3]
    later = Event(9, "epoch", 0.0, {"epoch": 2})
    assert [row["epoch"] for row in epochs_of([*events, later], None)] == [0, 1, 1.3, 2]
    result = {"before": {"acc_rt": 90.0, "acc_ut": 85.0}, "history": [{"epoch": 1}]}
    assert [row["epoch"] for row in epochs_of(events, result)] == [0, 1]


def test_table_leaves_out_what_is_unknown_on_both_sides():
    result = {"before": {"acc_rt": 90.0, "probe": None}, "after": {"acc_rt": 89.0, "loss_rt": 0.25}, "mask": None}
    table = result_table(result).replace("\N{NO-BREAK SPACE}", " ")
    assert "| 90.0 % | **89.0 %** | −1.0 |" in table
    assert "| – | **0.250** | – |" in table
    assert "Probe" not in table
    assert "Mask" not in table


def test_headline_needs_an_end():
    assert headline(job(State.CANCELLED, answer={"after": None})) is None
    assert headline(job(State.DONE, answer={"after": {"acc_rt": 1.0}})) == {"after": {"acc_rt": 1.0}}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("the file is gone", "The file is gone."),
        ("is it?", "Is it?"),
        ("wolf.zip has images", "wolf.zip has images."),
        ("layer4 is not moved", "layer4 is not moved."),
        ("my_set has images", "my_set has images."),
        ("wolf has images", "wolf has images."),
        ("as told, e.g. 32 pixels", "As told, e.g. 32 pixels."),
    ],
)
def test_sentences_begin_large_but_for_names(words, sentence):
    assert as_sentence(words, "", "wolf") == sentence
