"""Trials are the runs that they would be alone, to the byte, and make common stages once."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from zspag_core.progress import Reporter
from zspag_core.runs.config import RunConfig
from zspag_core.runs.execute import execute
from zspag_core.tuning.trials import carry_out
from zspag_core.tuning.yardstick import divergence


class Stages(Reporter):
    """Remembers which stages did work of their own."""

    def __init__(self):
        self.worked = set()

    def progress(self, stage, done, total, **figures):
        if done != total:
            self.worked.add(stage)


@pytest.fixture(scope="module")
def asked(digits_checkpoint):
    settings = {"epochs": 2, "n_adv": 8, "epsilon": 0.3, "energy": 0.8}
    return RunConfig("digits", str(digits_checkpoint), (3,), settings=settings, device="cpu", relearning=False)


@pytest.fixture(scope="module")
def pair(asked, tmp_path_factory):
    """Two trials that differ in their labels alone, and the second one as a run alone."""
    folder = tmp_path_factory.mktemp("pair")
    other = replace(asked, settings={**asked.settings, "label_mode": "second_best"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZSPAG_HOME", str(folder))
        answers = [carry_out(asked, folder / "first")]
        second = Stages()
        answers.append(carry_out(other, folder / "second", second))
        execute(other, folder / "alone")
    return folder, answers, second.worked


@pytest.mark.slow
def test_a_trial_is_the_same_run_as_alone_to_the_byte(pair):
    folder, _, _ = pair
    for name in ("model", "proxies", "labels", "grading"):
        assert (folder / "second" / f"{name}.safetensors").read_bytes() == (
            folder / "alone" / f"{name}.safetensors"
        ).read_bytes()


@pytest.mark.slow
def test_what_does_not_depend_on_what_varies_is_made_once(pair):
    _, _, worked = pair
    assert "unlearn" in worked
    assert not worked & {"proxies", "subspace"}


@pytest.mark.slow
def test_the_yardstick_is_the_same_for_all_and_sees_what_forgetting_does(pair):
    folder, (first, second), _ = pair
    assert len(list((folder / "stages").glob("*/yardstick.pt"))) == 1
    for answer in (first, second):
        seen = answer["yardstick"]
        assert 0 <= seen["forgotten"] <= 100
        assert 0 < seen["confidence"] <= 100
        assert seen["divergence"] >= 0
        assert seen["own_agreement"] is not None


@pytest.mark.slow
def test_a_method_without_proxies_is_measured_too(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    seen = carry_out(replace(asked, method="mask", settings={}), tmp_path / "mask")["yardstick"]
    assert seen["forgotten"] == 0.0
    assert seen["own_agreement"] is None
    assert seen["divergence"] == pytest.approx(0.0, abs=1e-6)  # masking is what it is measured from


def test_divergence_is_none_for_masking_and_is_kullback_and_leiblers():
    before = torch.tensor([[1.0, 2.0, 0.5]])
    masked = torch.tensor([[1.0, 2.0, -torch.inf]])
    assert divergence(before, masked, (2,)) == pytest.approx(0.0)
    p, q = torch.tensor([1.0, 2.0]).softmax(0), torch.tensor([2.0, 1.0, 0.0]).softmax(0)
    expected = sum(float(p[k] * (p[k] / q[k]).log()) for k in range(2))
    assert divergence(before, torch.tensor([[2.0, 1.0, 0.0]]), (2,)) == pytest.approx(expected, rel=1e-5)
