"""A worker gets ready for the demo: its model and data are held, and the model's grade is there."""

from __future__ import annotations

import pytest

from zspag_core.errors import Cancelled
from zspag_core.progress import Reporter
from zspag_core.runs.config import RunConfig
from zspag_core.runs.execute import execute
from zspag_core.runs.held import prepare_held
from zspag_core.runs.shared_cache import shared_cache
from zspag_core.tasks import warm_up as module
from zspag_core.tasks.warm_up import warm_up, warm_up_short_tasks


class Notes(Reporter):
    def __init__(self):
        self.said = []

    def note(self, sentence):
        self.said.append(sentence)


@pytest.fixture
def demo(digits_checkpoint, monkeypatch, tmp_path):
    """A small model in the demo's place, and an empty home."""
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(module, "DEMO_MODEL", digits_checkpoint)
    return RunConfig("digits", str(digits_checkpoint), (3,), device="cpu")


@pytest.mark.slow
def test_the_demo_takes_over_what_was_made_before_it(demo, tmp_path):
    warm_up("cpu", Reporter())
    cache = shared_cache(prepare_held(demo), None)
    assert cache.recall("original") is not None
    assert None not in [cache.room("method").recall(stage) for stage in ("proxies", "subspace")]
    notes = Notes()
    found = execute(demo, tmp_path / "warm", notes, prepare=prepare_held, cache_of=shared_cache)
    assert [sentence.split(":")[0] for sentence in notes.said if "made earlier" in sentence] == [
        "the original model's grade",
        "proxies",
        "subspace",
    ]
    alone = execute(demo, tmp_path / "alone")
    assert found | {"seconds": None} == alone | {"seconds": None}
    for path in (tmp_path / "alone").glob("*.safetensors"):
        assert path.read_bytes() == (tmp_path / "warm" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(("stage", "graded"), [("load", False), ("before", False), ("proxies", True)])
def test_it_gives_way(demo, stage, graded):
    class Busy(Reporter):
        def progress(self, now, done, total, **_figures):
            if now == stage:
                raise Cancelled("a job waits")

    warm_up("cpu", Busy())
    cache = shared_cache(prepare_held(demo), None)
    assert (cache.recall("original") is not None) == graded
    assert cache.room("method").recall("proxies") is None


def test_a_model_that_is_gone_is_none_of_its_business(demo, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "DEMO_MODEL", tmp_path / "gone.safetensors")
    warm_up("cpu", Reporter())


@pytest.mark.parametrize("there", [True, False])
def test_short_tasks_have_looked_into_the_demos_data_once(demo, monkeypatch, tmp_path, there):
    looked = []
    monkeypatch.setattr("zspag_core.tasks.inspect_data.describe_class", lambda data, label: looked.append(label))
    if not there:
        monkeypatch.setattr(module, "DEMO_MODEL", tmp_path / "gone.safetensors")
    warm_up_short_tasks()
    assert looked == (list(range(10)) if there else [])
