from __future__ import annotations

import json

import pytest

from tests.asking import Recorder, job_for
from zspag_core.errors import Cancelled, UsageError
from zspag_core.progress import SILENT
from zspag_core.tasks.relearning import measure_relearning
from zspag_core.tasks.table import find_task


@pytest.mark.slow
def test_steps_are_those_that_the_run_itself_counts(run_id, home):
    recorder = Recorder()
    answer = measure_relearning(job_for({"run": run_id}, "cpu"), recorder)
    result = json.loads((home / "runs" / run_id / "result.json").read_text())
    assert "relearning" in recorder.stages
    for when in ("before", "after"):
        expected = result[when]["relearning"]
        assert answer[when]["steps"] >= 0
        assert expected is None or answer[when] == expected


def test_counting_can_be_cancelled(run_id):
    with pytest.raises(Cancelled):
        measure_relearning(job_for({"run": run_id}, "cpu"), Recorder(patience=0))


def test_unknown_run_is_refused(home):
    with pytest.raises(UsageError, match="has left no model"):
        measure_relearning(job_for({"run": "0123456789abcdef"}))


@pytest.mark.slow
def test_workers_know_the_task(store, run_id):
    job = store.submit("relearning", {"run": run_id}, device="cpu")
    assert set(find_task("relearning")(job, SILENT)) == {"before", "after"}
