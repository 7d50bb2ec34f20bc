from __future__ import annotations

import dataclasses
import json

import pytest
import torch

from zspag_core.errors import Cancelled
from zspag_core.files import read_json
from zspag_core.progress import Reporter
from zspag_core.runs.config import RunConfig
from zspag_core.runs.execute import execute
from zspag_core.runs.prepare import prepare
from zspag_core.runs.resume import cache_of
from zspag_core.runs.stage_cache import NO_CACHE

SETTINGS = {"epochs": 3, "n_adv": 8, "epsilon": 0.3, "stop_rule": False, "label_mode": "influence_anchored"}
FILES = ("model", "proxies", "labels", "grading", "watch")


class Listener(Reporter):
    """Hears everything; raises `error` when `when(stage, epochs so far)` says so."""

    def __init__(self, when=lambda stage, epochs: False, error=Cancelled):
        self.when, self.error = when, error
        self.stages, self.counts, self.epochs, self.frames = [], {}, [], []

    def progress(self, stage, done, total, **figures):
        self.stages.append(stage)
        self.counts.setdefault(stage, []).append((done, total))
        if self.when(stage, len(self.epochs)):
            raise self.error("stop")

    def epoch(self, number, total, model, **figures):
        self.epochs.append((number, figures))

    def watch(self, frame):
        self.frames.append(frame.epoch)


@pytest.fixture(autouse=True)
def plenty(monkeypatch):
    """Let no slow machine change the order in which a run grades."""
    monkeypatch.setattr("zspag_core.runs.baseline.WAIT_SECONDS", 1e9)


@pytest.fixture(scope="module")
def config(digits_checkpoint):
    return RunConfig("digits", str(digits_checkpoint), (3,), settings=SETTINGS, device="cpu")


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """The run without an interruption, and what was heard of it."""
    out, heard = tmp_path_factory.mktemp("whole") / "run", Listener()
    execute(config, out, heard)
    return out, heard


def assert_same(one, other):
    for name in FILES:
        assert (one / f"{name}.safetensors").read_bytes() == (other / f"{name}.safetensors").read_bytes(), name
    results = [read_json(folder / "result.json") for folder in (one, other)]
    for result in results:
        result.pop("seconds")
    assert results[0] == results[1]


INTERRUPTIONS = {
    "proxies": (lambda stage, _: stage == "proxies", Cancelled, {"proxies"}),
    "subspace": (lambda stage, _: stage == "subspace", KeyboardInterrupt, {"subspace", "labels"}),
    "labels": (lambda stage, _: stage == "labels", Cancelled, {"labels", "unlearn"}),
    "epoch 1": (lambda stage, _: stage == "unlearn", Cancelled, {"unlearn"}),
    "epoch 3": (lambda stage, epochs: stage == "unlearn" and epochs == 3, KeyboardInterrupt, {"unlearn"}),
    "grading": (lambda stage, epochs: stage == "evaluate" and epochs == 4, Cancelled, {"evaluate"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", INTERRUPTIONS)
def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(config, whole, tmp_path, name):
    when, error, done_again = INTERRUPTIONS[name]
    out, state, cut = tmp_path / "run", tmp_path / "state", Listener(when, error)
    with pytest.raises(error):
        execute(config, out, cut, state=state)
    assert not out.exists()
    heard = Listener()
    execute(config, out, heard, state=state)
    assert_same(out, whole[0])
    assert heard.epochs == whole[1].epochs, "the whole run is told"
    assert heard.frames == whole[1].frames
    order = ["proxies", "subspace", "labels", "unlearn", "evaluate"]
    finished = order[: min(order.index(stage) for stage in done_again)]
    for stage in finished:
        ((done, total),) = heard.counts[stage]
        assert done == total, "what was finished is told once, as done, and not computed again"
    assert not state.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.slow
def test_a_run_cancelled_between_epochs_leaves_what_it_reached_and_goes_on(config, whole, tmp_path):
    class StopAfter(Listener):
        def epoch(self, number, total, model, **figures):
            super().epoch(number, total, model, **figures)
            if number == 2:
                raise Cancelled("stop")

    out, state = tmp_path / "run", tmp_path / "state"
    result = execute(config, out, StopAfter(), state=state)
    assert result["stopped"] == "cancelled"
    assert [row["epoch"] for row in result["history"]] == [1, 2]
    assert state.exists()
    again = tmp_path / "again"
    heard = Listener()
    execute(config, again, heard, state=state)
    assert_same(again, whole[0])
    assert heard.stages.count("unlearn") == 1 + whole[1].stages.count("unlearn") // 3


@pytest.mark.slow
def test_a_method_is_given_back_only_what_it_kept_itself(config, tmp_path):
    state = tmp_path / "state"
    with pytest.raises(Cancelled):
        execute(config, tmp_path / "run", Listener(INTERRUPTIONS["grading"][0]), state=state)
    kept = {path.stem for path in (state / "method").iterdir()}
    assert kept == {"logits", "proxies", "subspace", "labels", "unlearn"}
    assert {path.name for path in state.iterdir()} == {"method", "original.pt", "epochs.pt"}


@pytest.mark.slow
def test_what_another_request_left_is_not_used(config, whole, tmp_path):
    other = dataclasses.replace(config, seed=1)
    with pytest.raises(Cancelled):
        execute(other, tmp_path / "run", Listener(lambda stage, _: stage == "unlearn"), state=tmp_path / "state")
    execute(config, tmp_path / "run", state=tmp_path / "state")
    assert_same(tmp_path / "run", whole[0])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["retrain", "finetune_zs"])
def test_other_methods_go_on_after_their_last_epoch(config, tmp_path, method):
    config = dataclasses.replace(config, method=method, settings={"epochs": 3}, relearning=False)
    execute(config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        execute(
            config,
            tmp_path / "run",
            Listener(lambda stage, epochs: stage == "unlearn" and epochs == 3, KeyboardInterrupt),
            state=tmp_path / "state",
        )
    heard = Listener()
    execute(config, tmp_path / "run", heard, state=tmp_path / "state")
    assert [number for number, _ in heard.epochs] == [0, 1, 2, 3]
    for name in ("model", "watch", "grading"):
        first, second = ((tmp_path / run / f"{name}.safetensors").read_bytes() for run in ("whole", "run"))
        assert first == second, name


def test_the_cache_holds_for_one_request_one_model_and_one_data_set(config, digits_model, tmp_path):
    from zspag_core.checkpoints import save_checkpoint

    assert cache_of(prepare(config), None) is NO_CACHE
    other = tmp_path / "other.safetensors"
    save_checkpoint(other, digits_model, {"data": "digits", "class_names": [str(k) for k in range(10)], "x": 1})
    variants = [config, dataclasses.replace(config, seed=1), dataclasses.replace(config, checkpoint=str(other))]
    identities = [cache_of(prepare(variant), tmp_path).identity for variant in variants]
    assert len(set(identities)) == 3
    prepared = prepare(config)
    less = dataclasses.replace(prepared.dataset, test=prepared.dataset.test[torch.arange(9)])
    assert cache_of(dataclasses.replace(prepared, dataset=less), tmp_path).identity not in identities
    assert json.dumps(identities[0])
