from __future__ import annotations

import pytest

from tests.asking import Recorder
from zspag_core.errors import Cancelled, UsageError
from zspag_core.progress import Reporter
from zspag_core.tasks.depth import measure_depth
from zspag_core.tasks.table import find_task


@pytest.mark.slow
def test_every_stage_of_both_models_is_measured(run_id, store):
    recorder = Recorder()
    answer = measure_depth(
        store.submit("depth", {"run": run_id, "extent": "quick", "retrained": ""}, device="cpu"), recorder
    )
    assert recorder.stages == {"depth"}
    assert list(answer["models"]) == ["original", "unlearned"]
    assert len(answer["models"]["unlearned"]["probe"]) == len(answer["stages"]) > 0
    assert answer["extent"] == "quick"


@pytest.mark.slow
def test_everything_is_asked_with_the_references_that_ship(run_id, store, monkeypatch):
    asked = []
    monkeypatch.setattr("zspag_core.runs.depth.find_references", lambda given, about, *_: asked.append((given, about)))
    monkeypatch.setattr("zspag_core.metrics.depth.information.STEPS", 5)
    monkeypatch.setattr("zspag_core.metrics.depth.full.relearn_with_rest", lambda *_, **__: None)
    answer = measure_depth(store.submit("depth", {"run": run_id, "extent": "all"}, device="cpu"))
    assert answer["references"] is None
    ((given, about),) = asked
    assert (given, about["data"]) == ("", "digits")


@pytest.mark.slow
def test_another_run_may_be_the_other_end(run_id, store):
    answer = measure_depth(store.submit("depth", {"run": run_id, "extent": "quick", "retrained": run_id}, device="cpu"))
    assert answer["models"]["retrained"] == answer["models"]["unlearned"]


def test_measuring_can_be_cancelled(run_id, store):
    with pytest.raises(Cancelled):
        measure_depth(store.submit("depth", {"run": run_id, "extent": "quick"}, device="cpu"), Recorder(patience=0))


def test_unknown_run_is_refused(store):
    with pytest.raises(UsageError, match="has left no model"):
        measure_depth(store.submit("depth", {"run": "0123456789abcdef", "extent": "quick"}))


@pytest.mark.slow
def test_workers_know_the_task(run_id, store):
    found = find_task("depth")(store.submit("depth", {"run": run_id, "extent": "quick"}, device="cpu"), Reporter())
    assert found["extent"] == "quick"
