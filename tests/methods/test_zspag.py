from __future__ import annotations

import pytest
import torch

from zspag_core.attacks.catalogue import attack_entries
from zspag_core.data import to_pixels
from zspag_core.data.backdoor import plant
from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.layers import as_matrices, weight_layers
from zspag_core.methods.zspag import ZSPAG
from zspag_core.progress import Reporter
from zspag_core.pseudo_labels import INFLUENCE_MODES, MODES
from zspag_core.runs.context import RunContext

SMALL = {"n_adv": 8, "epochs": 2, "batch_size": 64, "cg_steps": 4, "epsilon": 0.3, "influence_images": 40}


@pytest.fixture
def forget(small_digits):
    return small_digits.train.of_classes((3,))


def unlearn(model, forget, classes=(3,), report=None, **settings):
    method = ZSPAG(**(SMALL | settings))
    return method.unlearn(model, forget, classes, RunContext(torch.Generator().manual_seed(0), report or Reporter()))


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_every_label_mode_gives_labels_of_that_kind(digits_model, forget, mode, state_of, assert_untouched):
    before = state_of(digits_model)
    found = unlearn(digits_model, forget, label_mode=mode, epochs=1)
    labels = found.labels
    assert labels.mode == mode
    torch.testing.assert_close(labels.labels.sum(1), torch.ones(len(forget)))
    assert float(labels.labels[:, 3].max()) < (0.01 if mode == "influence" else 1e-12)
    given = [labels.influence_before, labels.influence_after, labels.residual, labels.projected_share]
    if mode in INFLUENCE_MODES:
        assert all(isinstance(value, float) for value in given)
        assert labels.influence_after < labels.influence_before
        assert 0 <= labels.projected_share <= 1.0001
        assert labels.influence_after == pytest.approx(-float((labels.labels * labels.influences).sum(1).mean()))
    else:
        assert given == [None] * 4
        assert labels.influences is None
    assert_untouched(digits_model, before)


@pytest.mark.slow
def test_the_removing_sign_turns_the_predicted_change(digits_model, forget):
    training, removing = (
        unlearn(digits_model, forget, label_mode="influence_anchored", influence_sign=sign, epochs=1).labels
        for sign in ("training", "removing")
    )
    assert training.influence_after < training.influence_before < removing.influence_after


@pytest.mark.slow
def test_stages_fit_together(digits_model, forget):
    found = unlearn(digits_model, forget, stop_rule=False)
    assert set(found.seconds) == {"proxies", "subspace", "labels", "unlearn"}
    assert 3 not in found.proxies.labels
    for name, layer in weight_layers(digits_model).items():
        change = as_matrices(weight_layers(found.model)[name].weight.detach() - layer.weight.detach(), layer)
        leak = (change @ found.subspace.layers[name].basis).norm() / layer.weight.detach().norm()
        assert float(leak) <= 1e-5
    assert found.stopped == "epochs"
    assert len(found.history) == 2


@pytest.mark.slow
def test_deep_forgetting_moves_features_towards_those_of_proxies(digits_model, forget):
    free = {"pooling": "pooled", "energy": 0.8, "stop_margin": 100.0, "epochs": 6}
    shallow, deep = (unlearn(digits_model, forget, deep=deep, **free) for deep in (0.0, 10.0))
    assert deep.stopped == "epochs", "the goal of the rule is another one"
    reached = deep.proxies.labels.unique()
    with torch.no_grad():
        features = digits_model.embed(deep.proxies.images)
        means = torch.stack([features[deep.proxies.labels == k].mean(0) for k in reached])
        shares = deep.labels.labels[:, reached]
        targets = shares / shares.sum(1, keepdim=True) @ means
        before, without, after = (
            float((model.embed(to_pixels(forget.images)) - targets).norm(dim=1).mean())
            for model in (digits_model, shallow.model, deep.model)
        )
    assert after < 0.9 * min(before, without)


@pytest.mark.slow
@pytest.mark.parametrize("subspace", ["random", "none"])
def test_ablations_stand_in_for_the_estimated_subspace(digits_model, forget, subspace):
    estimated = unlearn(digits_model, forget, epochs=1, learning_rate=1e-3)
    found = unlearn(digits_model, forget, epochs=1, learning_rate=1e-3, subspace=subspace)
    for name, layer in found.subspace.layers.items():
        assert layer.rank == (estimated.subspace.layers[name].rank if subspace == "random" else 0)


@pytest.mark.parametrize("name", list(attack_entries()))
def test_every_attack_is_built_with_this_methods_settings(name):
    attack = ZSPAG(attack=name, epsilon=0.125, epsilon_l2=3.5, attack_steps=7, attack_confidence=0.75).build_attack()
    assert type(attack) is attack_entries()[name].load()
    assert attack.confidence == 0.75
    if name in {"pgd", "fgsm"}:
        assert attack.epsilon == 0.125
    else:
        assert attack.epsilon_l2 == 3.5
    assert getattr(attack, "steps", 7) == 7


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in attack_entries() if name != "pgd"])
def test_other_attacks_unlearn_too(digits_model, forget, name):
    found = unlearn(digits_model, forget, attack=name, epsilon_l2=5.0, epochs=6)
    assert len(found.proxies) > 0
    with torch.no_grad():
        before, after = (
            model(to_pixels(forget.images)).softmax(1)[:, 3].mean() for model in (digits_model, found.model)
        )
    assert float(after) < float(before) - 0.01


@pytest.mark.slow
def test_an_attack_that_never_succeeds_ends_the_run_in_one_sentence(digits_model, forget):
    with torch.no_grad():
        known = digits_model(to_pixels(forget.images)).argmax(1) == 3
    with pytest.raises(UnlearningError, match=r"no proxies: .* try a larger epsilon"):
        unlearn(digits_model, forget[known], epsilon=0.0)


@pytest.mark.slow
@pytest.mark.parametrize("mode", INFLUENCE_MODES)
def test_influence_without_proxies_or_without_free_weights_says_so(digits_model, forget, mode):
    with torch.no_grad():
        known = digits_model(to_pixels(forget.images)).argmax(1) == 3
    with pytest.raises(UnlearningError):
        unlearn(digits_model, forget[known], epsilon=0.0, subspace="none", label_mode=mode)
    with pytest.raises(UnlearningError, match="nothing can move"):
        unlearn(digits_model, forget, energy=1.0, tolerance=0.0, n_adv=60, label_mode=mode)


class StopIn(Reporter):
    def __init__(self, stage):
        self.stage, self.seen = stage, []

    def progress(self, stage, done, total, **_figures):
        self.seen.append(stage)
        if stage == self.stage:
            raise Cancelled("stop")


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["proxies", "subspace", "labels", "unlearn"])
def test_cancelling_in_any_stage_ends_there(digits_model, forget, stage):
    report = StopIn(stage)
    found = unlearn(digits_model, forget, report=report, label_mode="influence_anchored")
    assert found.stopped == "cancelled"
    assert report.seen[-1] == stage
    assert found.history == []
    assert (found.model is digits_model) == (stage != "unlearn")


@pytest.mark.slow
def test_proxies_and_labels_of_triggered_images_avoid_the_backdoors_target(digits_model, small_digits, generator):
    forget = plant(small_digits.train.of_classes((1,)), 1, 8, 0)
    found = ZSPAG(epochs=1, n_adv=20, attack_steps=3).unlearn(digits_model, forget, (1,), RunContext(generator))
    assert not bool((found.proxies.labels == forget.labels[found.proxies.sources]).any())
    assert 1 not in found.proxies.labels.tolist()
    assert float(found.labels.labels[forget.labels == 8, 8].max()) == 0.0
