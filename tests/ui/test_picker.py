from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ui.picker import run_label
from zspag_core.jobs import Job, State, Wish

JOB = Job(
    id="x",
    number=7,
    kind="unlearn",
    lane="runs",
    config={"forget": [3, 5], "class_names": ["cat", "dog"], "method": "posterior"},
    device="auto",
    state=State.RUNNING,
    wish=Wish.NONE,
    worker="w",
    created=0.0,
    started=1.0,
    finished=None,
    progress={},
    answer=None,
    error="",
    details="",
    folder=Path("x"),
)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "Run 7 · forget cat, dog · posterior · running"),
        ({"title": "my best"}, "Run 7 · my best · forget cat, dog · posterior · running"),
        ({"config": {"forget": [3]}}, "Run 7 · forget 3 · zspag · running"),
        (
            {"state": State.DONE, "answer": {"after": {"acc_rt": 99.44, "acc_ut": 0.0}}},
            "Run 7 · forget cat, dog · posterior · Acc_rt 99.4 %, Acc_ut 0.0 %",
        ),
        ({"state": State.CANCELLED, "answer": {"after": None}}, "Run 7 · forget cat, dog · posterior · cancelled"),
    ],
)
def test_a_run_in_a_list_says_what_it_was_and_what_came_out(changes, text):
    assert run_label(replace(JOB, **changes)) == text
