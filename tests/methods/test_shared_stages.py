from __future__ import annotations

import pytest
import torch

from zspag_core.hyperparameters import configure
from zspag_core.methods import shared_stages, stages, zspag
from zspag_core.methods.shared_stages import SharedStages
from zspag_core.methods.zspag import ZSPAG
from zspag_core.runs.context import RunContext
from zspag_core.runs.stage_cache import NO_CACHE

SETTINGS = {"n_adv": 3, "epsilon": 0.3, "attack_steps": 3, "epochs": 1}


@pytest.fixture
def run(digits_model, small_digits, monkeypatch):
    calls = []
    for name in ("generate_proxies", "estimate_subspace"):
        real = getattr(stages, name)
        monkeypatch.setattr(stages, name, lambda *a, _real=real, _name=name, **b: calls.append(_name) or _real(*a, **b))
    forget = small_digits.train.of_classes([3])[torch.arange(20)]
    kept = {}

    def unlearn(seed=0, cached=True, ahead=False, **settings):
        method = configure(ZSPAG, SETTINGS | settings)
        cache = SharedStages(kept, method, (3,), seed) if cached else NO_CACHE
        context = RunContext(torch.Generator().manual_seed(seed), cache=cache)
        calls.clear()
        done = (method.make_ahead if ahead else method.unlearn)(digits_model, forget, (3,), context)
        return done, list(calls)

    return unlearn


@pytest.mark.slow
def test_stages_are_made_once_and_change_nothing(run):
    alone, made = run(cached=False, learning_rate=0.05)
    assert made == ["generate_proxies", "estimate_subspace"]
    run()
    shared, made = run(learning_rate=0.05)
    assert made == []
    assert shared.seconds["proxies"] > 0
    for one, other in zip(alone.model.state_dict().values(), shared.model.state_dict().values(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.slow
def test_what_is_made_ahead_is_what_a_run_would_make(run):
    alone, made = run(cached=False)
    assert run(ahead=True) == (None, made)
    shared, made = run()
    assert made == []
    for one, other in zip(alone.model.state_dict().values(), shared.model.state_dict().values(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.slow
def test_forget_images_are_read_once_for_all_runs(run, monkeypatch):
    run()
    monkeypatch.setattr(zspag, "logits_of", lambda *_: pytest.fail("they were read already"))
    run(n_adv=2, energy=0.5, learning_rate=0.05)


@pytest.mark.slow
def test_stages_are_made_again_for_what_they_depend_on(run):
    run()
    assert run(energy=0.5)[1] == ["estimate_subspace"]
    assert run(epsilon=0.2)[1] == ["generate_proxies", "estimate_subspace"]
    assert run(seed=1)[1] == ["generate_proxies", "estimate_subspace"]


def test_every_setting_that_is_named_is_one_of_the_method():
    assert set(shared_stages.DEPENDS["zspag"]["subspace"]) <= set(ZSPAG.__dataclass_fields__)
