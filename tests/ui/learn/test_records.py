from __future__ import annotations

import json

import numpy as np
import pytest

from ui.learn.lessons import LESSONS
from ui.learn.records import record_of, record_of_job, without_answer
from ui.shell.shipped_records import shipped_runs
from zspag_core.jobs import State

GRADING = {
    "test.labels": np.array([3, 3, 3, 8]),
    "test.after": np.eye(10)[[8, 8, 9, 8]],
}


@pytest.fixture
def result():
    part = {"acc_rt": 99.12345, "acc_ut": 1.0, "acc_per_class": [99.0] * 10, "probe": 90.0, "loss_rt": 0.1}
    part["mia"] = {"entropy_svc": 40.0, "same_class": {"accuracy": 50.0}}
    return {
        "method": "zspag",
        "forget": [3],
        "before": part,
        "after": part,
        "mask": {"acc_rt": 99.0},
        "history": [{"epoch": 1, "acc_rt": 98.0, "acc_ut": float("nan"), "loss": 1.0, "free_gradient": 0.5}],
        "proxies": {"asr": 100.0, "attempted": 64, "per_class": {"8": 10}, "confidence": 0.9},
    }


def test_record_keeps_what_lessons_speak_of(result):
    record = record_of(result, GRADING)
    assert record["after"] == {
        "acc_rt": 99.123,
        "acc_ut": 1.0,
        "acc_per_class": [99.0] * 10,
        "probe": 90.0,
        "mia": {"entropy_svc": 40.0, "same_class": {"accuracy": 50.0}},
    }
    assert record["history"] == [{"epoch": 1, "acc_rt": 98.0, "acc_ut": None, "loss": 1.0}]
    assert record["read_as"] == {"8": 2, "9": 1}
    assert record["proxies"] == {"asr": 100.0, "attempted": 64, "per_class": {"8": 10}}
    json.dumps(record, allow_nan=False)


def test_methods_without_proxies_and_runs_without_arrays_have_records_too(result):
    record = record_of(result | {"proxies": None, "history": []}, None)
    assert record["proxies"] is None
    assert record["read_as"] == {}


def test_own_runs_count_when_they_have_ended(result, make_job):
    assert record_of_job(make_job(), None) is None
    assert record_of_job(make_job(state=State.CANCELLED), None) is None
    assert record_of_job(make_job(state=State.DONE, answer=result), GRADING)["read_as"] == {"8": 2, "9": 1}
    failed = make_job(state=State.FAILED, error="the loss became nan.")
    assert record_of_job(failed, None) == {"error": "the loss became nan"}


def test_a_question_knows_the_original_alone(result):
    asked = without_answer(record_of(result, GRADING))
    assert asked["before"]["acc_rt"] == 99.123
    assert (asked["after"], asked["history"], asked["proxies"], asked["read_as"]) == ({}, [], None, {})
    assert without_answer({"error": "the loss became nan"}) is None


def test_lesson_without_shipped_runs_has_none(monkeypatch, tmp_path):
    monkeypatch.setattr("ui.learn.lessons.FOLDER", tmp_path)
    assert shipped_runs(LESSONS[0].runs).records == {}
