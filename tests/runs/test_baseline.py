"""The original's grade: before the method where it takes long or there is something to say, else after it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from safetensors.torch import load_file

from zspag_core.errors import Cancelled
from zspag_core.metrics.grade import count_graded
from zspag_core.progress import SILENT, Reporter
from zspag_core.runs import baseline as module
from zspag_core.runs.baseline import Baseline
from zspag_core.runs.config import RunConfig
from zspag_core.runs.execute import execute
from zspag_core.runs.prepare import prepare
from zspag_core.runs.stage_cache import NO_CACHE

LOOKED = {"acc_rt": 99.0, "acc_ut": 98.0, "loss_rt": 0.1, "mia": 60.0}
SETTINGS = {"epochs": 2, "n_adv": 8, "epsilon": 0.3, "stop_rule": False}


@pytest.fixture(scope="module")
def config(digits_checkpoint):
    return RunConfig("digits", str(digits_checkpoint), (3,), settings=SETTINGS, device="cpu", relearning=False)


@pytest.fixture(scope="module")
def prepared(config):
    return prepare(config)


@pytest.fixture(autouse=True)
def plenty(monkeypatch):
    """Let no slow machine change the order."""
    monkeypatch.setattr(module, "WAIT_SECONDS", 1e4)


class Listener(Reporter):
    """Hears stages, epochs and results in order; raises when told of an epoch or of a stage."""

    def __init__(self, stop=None):
        self.heard, self.stop = [], stop

    def _hear(self, what):
        if not self.heard or self.heard[-1] != what:
            self.heard.append(what)
        if what == self.stop:
            raise Cancelled("stop")

    def progress(self, stage, done, total, **_figures):
        self._hear(stage)

    def epoch(self, number, total, model, **_figures):
        self._hear(number)

    def graded(self, result):
        self._hear("graded")
        self.result = json.loads(json.dumps(result))


@pytest.mark.slow
def test_a_quick_grade_waits_until_the_method_is_done(config, tmp_path):
    heard = Listener()
    execute(config, tmp_path / "run", heard)
    order = [what for what in heard.heard if what in {0, 1, 2, "before", "evaluate", "graded"}]
    assert order == [0, 1, 2, "before", "evaluate", "graded"]


@pytest.mark.slow
def test_a_long_one_comes_first_and_all_files_are_the_same(config, tmp_path, monkeypatch):
    execute(config, tmp_path / "quick")
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.0)
    heard = Listener()
    execute(config, tmp_path / "long", heard)
    assert heard.heard.index("before") < heard.heard.index("proxies")
    one, two = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("quick", "long"))
    assert one | {"seconds": None} == two | {"seconds": None}
    for path in (tmp_path / "quick").glob("*.safetensors"):
        assert path.read_bytes() == (tmp_path / "long" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ("looked", "seconds", "waits"),
    [
        ({}, 1.0, True),
        ({}, 1e9, False),
        ({"acc_rt": 12.0}, 1.0, False),
        ({"acc_ut": 9.0}, 1.0, False),
        ({"acc_ut": None, "forget_images": 3.0}, 1.0, False),
        ({"acc_rt": None, "acc_ut": None}, 1.0, True),
    ],
)
def test_nobody_waits_for_what_takes_long_or_should_be_said_before(prepared, looked, seconds, waits):
    baseline = Baseline(prepared.checkpoint.model, prepared, NO_CACHE, SILENT, {})
    assert baseline.may_wait(LOOKED | looked, 500, seconds) == waits


def test_the_steps_of_relearning_count_as_much_as_the_images_that_they_take(prepared):
    images = count_graded(prepared.dataset, (3,), 0)
    limit = module.WAIT_SECONDS * 100 / images  # seconds that a look at 100 images may take
    asked = replace(prepared, config=replace(prepared.config, relearning=True))
    for one, waits in ((prepared, True), (asked, False)):
        baseline = Baseline(one.checkpoint.model, one, NO_CACHE, SILENT, {})
        assert baseline.may_wait(LOOKED, 100, 0.99 * limit) == waits
    assert not Baseline(prepared.checkpoint.model, prepared, NO_CACHE, SILENT, {}).may_wait(LOOKED, 100, 1.01 * limit)


@pytest.mark.slow
def test_a_run_cancelled_before_the_original_is_graded_has_its_grade_all_the_same(config, tmp_path):
    heard = Listener(stop=1)
    result = execute(config, tmp_path / "run", heard)
    whole = execute(config, tmp_path / "whole")
    assert (result["stopped"], result["after"]) == ("cancelled", None)
    assert result["before"] == whole["before"]
    assert heard.heard[-1] == 1, "nobody who has cancelled is told of anything more"


@pytest.mark.slow
def test_where_others_wait_nothing_is_graded_for_a_cancelled_run(config, tmp_path):
    state = tmp_path / "state"
    heard = Listener(stop=1)
    with pytest.raises(Cancelled, match="before the original was graded"):
        execute(config, tmp_path / "run", heard, state=state, finish_cancelled=False)
    assert heard.heard[-1] == 1
    assert not (tmp_path / "run").exists()
    again = execute(config, tmp_path / "run", state=state, finish_cancelled=False)
    whole = execute(config, tmp_path / "whole")
    assert again | {"seconds": None} == whole | {"seconds": None}


@pytest.mark.slow
def test_where_others_wait_a_cancelled_run_is_written_if_that_takes_no_time(config, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.0)
    result = execute(config, tmp_path / "run", Listener(stop=1), finish_cancelled=False)
    assert result["stopped"] == "cancelled"
    assert (tmp_path / "run" / "result.json").exists()


@pytest.mark.slow
def test_grade_and_steps_are_made_once_also_where_nothing_is_kept(prepared, monkeypatch):
    asked = replace(prepared, config=replace(prepared.config, relearning=True))
    baseline, made = Baseline(prepared.checkpoint.model, asked, NO_CACHE, SILENT, {"evaluate": 0.0}), []
    for name in ("grade_of", "relearning_of"):
        make = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given, name=name, make=make: made.append(name) or make(*given))
    assert not baseline.complete
    first = baseline.relearnt()
    assert baseline.complete
    assert baseline.relearnt() is first
    assert baseline.grade().accuracy.acc_ut > 80
    assert made == ["grade_of", "relearning_of"]


@pytest.mark.slow
def test_cancelling_while_the_original_is_graded_leaves_nothing(config, tmp_path):
    with pytest.raises(Cancelled):
        execute(config, tmp_path / "run", Listener(stop="before"))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_what_was_reached_is_shown_before_layers_neighbours_and_relearning_are_looked_at(config, tmp_path):
    heard = Listener()
    result = execute(replace(config, relearning=True), tmp_path / "run", heard)
    assert heard.heard[heard.heard.index("graded") :] == ["graded", "relearning"]
    early = heard.result
    assert early["before"]["relearning"] is early["after"]["relearning"] is None
    assert early["subspace"] is early["proxies"]["knn_agreement"] is None
    assert early["depth"] is None
    early["subspace"], early["depth"] = result["subspace"], result["depth"]
    early["proxies"]["knn_agreement"] = result["proxies"]["knn_agreement"]
    for when in ("before", "after"):
        assert result[when]["relearning"]["steps"] > 0
        early[when]["relearning"] = result[when]["relearning"]
    assert early | {"seconds": None} == json.loads(json.dumps(result)) | {"seconds": None}
    assert set(load_file(tmp_path / "run" / "grading.safetensors")) >= {"test.before", "test.after"}
