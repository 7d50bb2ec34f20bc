from __future__ import annotations

import pytest

from ui.shell.run_picker import run_label
from zspag_core.jobs import State

CONFIG = {"forget": [3, 5], "class_names": ["cat", "dog"], "method": "posterior"}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "Run 7 · forget cat, dog · Posterior labels · running"),
        ({"title": "my best"}, "Run 7 · my best · forget cat, dog · Posterior labels · running"),
        ({"config": {"forget": [3]}}, "Run 7 · forget 3 · ZS-PAG · running"),
        (
            {"state": State.DONE, "answer": {"after": {"acc_rt": 99.44, "acc_ut": 0.0}}},
            "Run 7 · forget cat, dog · Posterior labels · Acc_rt 99.4 %, Acc_ut 0.0 %",
        ),
        (
            {"state": State.CANCELLED, "answer": {"after": None}},
            "Run 7 · forget cat, dog · Posterior labels · cancelled",
        ),
    ],
)
def test_a_run_in_a_list_says_what_it_was_and_what_came_out(make_job, changes, text):
    assert run_label(make_job(**{"config": CONFIG} | changes)) == text
