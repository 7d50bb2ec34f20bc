"""Stages that runs have in common are made once, and only those."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
import torch

from zspag_core.progress import Reporter
from zspag_core.runs import shared_cache as module
from zspag_core.runs.config import RunConfig
from zspag_core.runs.execute import execute
from zspag_core.runs.held import prepare_held
from zspag_core.runs.shared_cache import SharedCache, shared_cache
from zspag_core.runs.stage_cache import NO_CACHE


@pytest.fixture
def asked(digits_checkpoint):
    settings = {"epochs": 2, "n_adv": 8, "epsilon": 0.3, "energy": 0.8}
    return RunConfig("digits", str(digits_checkpoint), (3,), settings=settings, device="cpu", relearning=False)


def test_only_what_depends_on_the_same_is_shared(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))

    def memory(**changes):
        return shared_cache(prepare_held(replace(asked, **changes)), None)

    memory().keep("original", 1)
    memory().keep("original_relearnt", 4)
    memory().room("method").keep("proxies", 2)
    memory().room("method").keep("labels", 3)  # a run's own, and this one keeps nothing
    other = {**asked.settings, "learning_rate": 0.2}
    assert memory(settings=other).recall("original") == 1
    assert memory(settings=other).recall("original_relearnt") == 4
    assert memory(settings=other).room("method").recall("proxies") == 2
    assert memory().room("method").recall("labels") is None
    assert memory(seed=1).room("method").recall("proxies") is None
    assert memory(settings={**asked.settings, "epsilon": 0.2}).room("method").recall("proxies") is None
    assert memory(forget=(4,)).recall("original") is None
    assert memory(seed=1).recall("original") is None
    assert memory(hold_out=20.0).recall("original") == 1, "the original is graded on the same images"
    assert memory(hold_out=20.0).room("method").recall("proxies") is None
    assert memory(relearning=True).recall("original") == 1
    assert memory(relearning=True).recall("original_relearnt") is None
    assert isinstance(memory().room("other").recall("proxies"), type(None))
    assert memory().file("descent") is None


def test_what_other_threads_made_is_made_again(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    shared_cache(prepare_held(asked), None).keep("original", 1)
    torch.set_num_threads(2)  # another number of threads is another rounding; the next test has one again
    assert shared_cache(prepare_held(asked), None).recall("original") is None


@pytest.mark.slow
def test_a_second_run_takes_over_and_says_so(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))

    class Notes(Reporter):
        def __init__(self):
            self.said = []

        def note(self, text):
            self.said.append(text)

    said = []
    for name in ("first", "second"):
        report = Notes()
        execute(asked, tmp_path / name, report, prepare=prepare_held, cache_of=shared_cache)
        said.append([text for text in report.said if "made earlier" in text])
    execute(asked, tmp_path / "alone")
    assert said[0] == []
    assert [text.partition(" ")[0] for text in said[1]] == ["the", "proxies:", "subspace:"]
    one, two, three = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second", "alone"))
    assert one == two == three


def test_a_run_that_has_a_folder_keeps_its_own_there(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    memory = shared_cache(prepare_held(asked), tmp_path / "state")
    assert isinstance(memory, SharedCache)
    memory.keep("after", 5)
    assert memory.file("descent").parent == tmp_path / "state"
    memory.forget()
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(("limit", "most"), [("MOST_FILES", 2), ("MOST_BYTES", 3000)])
def test_the_oldest_stages_are_removed(limit, most, tmp_path, monkeypatch):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    monkeypatch.setattr(module, limit, most)
    for number in range(4):
        SharedCache(NO_CACHE, {"part": str(number)}).keep("part", number)
        files = list((tmp_path / "stages").glob("*/*.pt"))
        os.utime(max(files, key=lambda path: path.stat().st_mtime_ns), ns=(number + 1, number + 1))
    left = [SharedCache(NO_CACHE, {"part": str(number)}).recall("part") for number in range(4)]
    assert left == [None, None, 2, 3]
