"""What a run begins with is made ahead, and the run is byte for byte what it would be."""

from __future__ import annotations

import pytest

from zspag_core.errors import Cancelled, ZspagError
from zspag_core.methods import zspag
from zspag_core.progress import Reporter
from zspag_core.runs.config import RunConfig
from zspag_core.runs.execute import execute
from zspag_core.runs.held import prepare_held
from zspag_core.runs.shared_cache import shared_cache
from zspag_core.tasks.ahead import begin_alike, make_ahead


class Notes(Reporter):
    def __init__(self):
        self.said = []

    def note(self, sentence):
        self.said.append(sentence)


@pytest.fixture
def config(digits_checkpoint, monkeypatch, tmp_path):
    """A run of a small model, and an empty home."""
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path / "home"))
    return RunConfig("digits", str(digits_checkpoint), (3,), device="cpu")


@pytest.mark.slow
def test_a_run_takes_over_what_was_made_before_it(config, tmp_path):
    make_ahead(config.to_job(class_names=["3"]), Reporter())
    cache = shared_cache(prepare_held(config), None)
    assert cache.recall("original") is not None
    assert None not in [cache.room("method").recall(stage) for stage in ("logits", "proxies", "subspace")]
    notes = Notes()
    found = execute(config, tmp_path / "warm", notes, prepare=prepare_held, cache_of=shared_cache)
    assert [sentence.split(":")[0] for sentence in notes.said if "made earlier" in sentence] == [
        "the original model's grade",
        "proxies",
        "subspace",
    ]
    alone = execute(config, tmp_path / "alone")
    assert found | {"seconds": None} == alone | {"seconds": None}
    for path in (tmp_path / "alone").glob("*.safetensors"):
        assert path.read_bytes() == (tmp_path / "warm" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(("stage", "made"), [("load", []), ("proxies", []), ("subspace", ["proxies"])])
def test_it_gives_way_and_keeps_what_is_finished(config, stage, made):
    class Busy(Reporter):
        def progress(self, now, done, total, **_figures):
            if now == stage:
                raise Cancelled("a job waits")

    with pytest.raises(Cancelled):
        make_ahead(config.to_job(), Busy())
    room = shared_cache(prepare_held(config), None).room("method")
    assert [part for part in ("proxies", "subspace") if room.recall(part) is not None] == made


def test_nothing_is_made_that_nobody_could_take_over(config, monkeypatch):
    monkeypatch.setattr("zspag_core.runs.shared_cache.BUILT_IN", ())  # as with an attack that is a plug-in
    monkeypatch.setattr(zspag.ZSPAG, "make_ahead", lambda *_: pytest.fail("nobody could take it over"))
    make_ahead(config.to_job(), Reporter())
    assert shared_cache(prepare_held(config), None).recall("original") is not None


def test_a_method_without_shared_stages_has_the_original_graded(config):
    make_ahead(RunConfig(**vars(config) | {"method": "mask"}).to_job(), Reporter())
    assert shared_cache(prepare_held(config), None).recall("original") is not None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [({"model": "python:here.py:make"}, "code"), ({"checkpoint": "gone.safetensors"}, "gone.safetensors")],
)
def test_what_no_run_could_do_is_refused(config, change, complaint):
    with pytest.raises(ZspagError, match=complaint):
        make_ahead(config.to_job() | change, Reporter())


@pytest.mark.parametrize(
    ("change", "alike"),
    [
        ({}, True),
        ({"device": "cuda"}, True),
        ({"relearning": False}, True),
        ({"class_names": ["three"]}, True),
        ({"settings": {"epochs": 3, "label_mode": "posterior"}}, True),
        ({"settings": {"energy": 0.5}}, False),
        ({"settings": {"n_adv": 7}}, False),
        ({"forget": [3, 4]}, False),
        ({"seed": 1}, False),
        ({"data": "cifar10"}, False),
        ({"hold_out": 10.0}, False),
        ({"method": "erase"}, False),
    ],
)
def test_which_runs_begin_alike(config, change, alike):
    assert begin_alike(config.to_job(), config.to_job() | change) is alike
