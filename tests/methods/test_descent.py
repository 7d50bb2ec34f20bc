from __future__ import annotations

import copy
import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from zspag_core import batching
from zspag_core.data import to_pixels
from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.layers import as_matrices, weight_layers
from zspag_core.methods import descent
from zspag_core.methods.descent import RETRIES, STEP_CUT, Schedule, StoppingRule, descend
from zspag_core.methods.projected_sgd import Pull
from zspag_core.progress import SILENT, Reporter
from zspag_core.proxies import ProxySet
from zspag_core.pseudo_labels import barred_labels
from zspag_core.runs.context import RunContext
from zspag_core.runs.stage_cache import NO_CACHE, FileStageCache
from zspag_core.subspace import LayerBasis, Subspace, empty_subspace, estimate_subspace

FORGOTTEN = (3,)


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """Compute in float32, so that figures can be compared with a loop written here."""
    monkeypatch.setattr("zspag_core.devices._cpu_has_bfloat16", lambda: False)


@pytest.fixture
def forget(small_digits):
    return small_digits.train.of_classes(FORGOTTEN)[torch.arange(96)]


@pytest.fixture
def proxies(small_digits, digits_model):
    rest = small_digits.train.without_classes(FORGOTTEN)[torch.arange(200)]
    images = to_pixels(rest.images)
    with torch.no_grad():
        labels = digits_model(images).argmax(1)
    return ProxySet(images, labels, torch.arange(200), torch.ones(200), 200, 200)


@pytest.fixture
def soft(forget, digits_model):
    """The model's own guesses without the forgotten class."""
    with torch.no_grad():
        logits = digits_model(to_pixels(forget.images))
    logits[:, list(FORGOTTEN)] = -torch.inf
    return logits.softmax(1)


def run(model, forget, labels, *, subspace=None, epochs=3, rate=0.003, seed=0, rule=None, report=SILENT,
        cache=NO_CACHE, **rest):  # fmt: skip
    barred, schedule = barred_labels(forget.labels, FORGOTTEN, 10), Schedule(rate, epochs, 32, rule)
    context = RunContext(torch.Generator().manual_seed(seed), report, cache)
    rest["subspace"] = subspace or empty_subspace(model)
    return descend(model, forget.images, labels, barred, schedule, context=context, **rest)


@pytest.fixture
def subspace(digits_model, proxies):
    return estimate_subspace(digits_model, proxies, [k for k in range(10) if k != 3], energy=0.7, tolerance=0.05)


def changes(before, after):
    return {
        name: as_matrices(weight_layers(after)[name].weight.detach() - layer.weight.detach(), layer).double()
        for name, layer in weight_layers(before).items()
    }


@pytest.mark.slow
def test_nothing_leaks_into_the_protected_directions(digits_model, forget, soft, subspace, state_of, assert_untouched):
    before = state_of(digits_model)
    found = run(digits_model, forget, soft, subspace=subspace, epochs=8, rate=0.1)
    moved = changes(digits_model, found.model)
    for name, layer in weight_layers(digits_model).items():
        leak = (moved[name] @ subspace.layers[name].basis.double()).norm() / layer.weight.detach().norm()
        assert float(leak) <= 1e-5, name
    assert sum(float(change.norm()) > 0 for change in moved.values()) >= 3
    free = run(digits_model, forget, soft, epochs=8)
    unprotected = changes(digits_model, free.model)["head"] @ subspace.layers["head"].basis.double()
    assert float(unprotected.norm() / digits_model.head.weight.detach().norm()) > 1e-3
    assert_untouched(digits_model, before)
    assert all(0 < row["free_gradient"] < 1 for row in found.history)
    assert all(row["free_gradient"] == 1.0 for row in free.history)


def test_steps_are_plain_sgd_without_momentum_or_decay(digits_model, forget, soft):
    found = run(digits_model, forget, soft, epochs=2, rate=0.003)
    model, generator = copy.deepcopy(digits_model), torch.Generator().manual_seed(0)
    weights = [layer.weight for layer in weight_layers(model).values()]
    for _ in range(2):
        for place in torch.randperm(96, generator=generator).split(32):
            loss = F.cross_entropy(model(to_pixels(forget.images[place])), soft[place])
            for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                weight.data -= 0.003 * gradient
    for name, layer in weight_layers(found.model).items():
        torch.testing.assert_close(layer.weight, weight_layers(model)[name].weight, atol=1e-5, rtol=1e-4)


def test_features_are_drawn_to_their_targets_by_the_gradient_of_both_terms(digits_model, forget, soft):
    targets = torch.randn(len(forget), digits_model.head.in_features, generator=torch.Generator().manual_seed(1))
    found = run(digits_model, forget, soft, epochs=1, rate=0.005, pull=Pull(targets, 0.3))
    model, order = copy.deepcopy(digits_model), torch.randperm(96, generator=torch.Generator().manual_seed(0))
    weights = [layer.weight for layer in weight_layers(model).values()]
    for index in order.split(32):
        features = model.embed(to_pixels(forget.images[index]))
        loss = -(soft[index] * model.head(features).log_softmax(1)).sum(1).mean()
        loss = loss + 0.3 * sum((a - b).pow(2).sum() for a, b in zip(features, targets[index], strict=True)) / 32
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.data -= 0.005 * gradient
    for name, layer in weight_layers(model).items():
        torch.testing.assert_close(weight_layers(found.model)[name].weight, layer.weight, rtol=1e-4, atol=1e-5)


def test_only_weight_matrices_move(digits_model, forget, soft):
    found = run(digits_model, forget, soft)
    movable = {f"{name}.weight" for name in weight_layers(digits_model)}
    after = found.model.state_dict()
    for name, value in digits_model.state_dict().items():
        assert torch.equal(after[name], value) == (name not in movable), name


def test_tokens_positions_and_norms_of_a_transformer_stay(small_vit, small_digits):
    forget = small_digits.train.of_classes((3,))[torch.arange(40)]
    labels = torch.full((40, 10), 0.1)
    found = run(small_vit, forget, labels, epochs=1)
    movable = {f"{name}.weight" for name in weight_layers(small_vit)}
    after = found.model.state_dict()
    for name, value in small_vit.state_dict().items():
        assert torch.equal(after[name], value) == (name not in movable), name
    assert "class_token" in after
    assert "positions" in after


def test_a_full_layer_is_frozen_bit_by_bit(digits_model, forget, soft):
    layers = dict(empty_subspace(digits_model).layers)
    layers["head"] = LayerBasis(torch.linalg.qr(torch.randn(1, 16, 16)).Q, (16,))
    found = run(digits_model, forget, soft, subspace=Subspace(layers))
    assert torch.equal(found.model.head.weight, digits_model.head.weight)
    assert not torch.equal(found.model.stem[0].weight, digits_model.stem[0].weight)


def test_with_no_free_layer_the_run_says_so(digits_model, forget, soft):
    layers = {
        name: LayerBasis(torch.eye(empty.dim)[None], (empty.dim,))
        for name, empty in empty_subspace(digits_model).layers.items()
    }
    with pytest.raises(UnlearningError, match=r"nothing can move: .* try a smaller energy"):
        run(digits_model, forget, soft, subspace=Subspace(layers))


def test_the_result_is_an_ordinary_model(digits_model, forget, soft):
    model = run(digits_model, forget, soft, epochs=1).model
    assert model is not digits_model
    assert not model.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert all(parameter.is_leaf for parameter in model.parameters())


@pytest.mark.slow
def test_equal_seeds_give_equal_bytes(digits_model, forget, soft, subspace):
    one, two, other = (run(digits_model, forget, soft, subspace=subspace, epochs=2, seed=s) for s in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True))
    assert not torch.equal(one.model.head.weight, other.model.head.weight)


def test_all_epochs_are_made_without_a_rule(digits_model, forget, soft, proxies):
    found = run(digits_model, forget, soft, epochs=4, proxies=proxies)
    assert found.stopped == "epochs"
    assert [row["epoch"] for row in found.history] == [1, 2, 3, 4]
    last = found.history[-1]
    with torch.no_grad():
        kept = (found.model(proxies.images).argmax(1) == digits_model(proxies.images).argmax(1)).float().mean()
    assert last["proxy_agreement"] == pytest.approx(100 * float(kept), abs=1e-3)
    losses = [row["loss"] for row in found.history]
    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_the_rule_stops_once_the_samples_are_forgotten(digits_model, forget, soft, proxies, subspace):
    rule = StoppingRule(forget_accuracy=5.0, margin=100.0)
    found = run(digits_model, forget, soft, epochs=50, rate=0.1, proxies=proxies, subspace=subspace, rule=rule)
    assert found.stopped == "rule"
    assert len(found.history) < 50
    assert found.history[-1]["forget_accuracy"] <= 5.0
    assert all(row["forget_accuracy"] > 5.0 for row in found.history[:-1])


def test_a_long_epoch_ends_with_the_round_that_meets_the_rule(digits_model, forget, soft, monkeypatch):
    """With rounds of one batch the rule looks after every step, and the row says how many samples were used."""
    monkeypatch.setattr(descent, "ROUND_IMAGES", 32)
    rule = StoppingRule(forget_accuracy=30.0, margin=100.0)
    found = run(digits_model, forget, soft, epochs=50, rate=0.05, rule=rule)
    assert found.stopped == "rule"
    assert found.history[-1]["forget_accuracy"] <= 30.0
    assert [row["images"] for row in found.history[:-1]] == [96] * (len(found.history) - 1)
    assert found.history[-1]["images"] in {32, 64, 96}


def test_rounds_change_nothing_when_the_rule_is_not_met(digits_model, forget, soft, monkeypatch):
    whole = run(digits_model, forget, soft, epochs=2, rule=StoppingRule(forget_accuracy=-1.0, margin=100.0))
    monkeypatch.setattr(descent, "ROUND_IMAGES", 32)
    rounds = run(digits_model, forget, soft, epochs=2, rule=StoppingRule(forget_accuracy=-1.0, margin=100.0))
    assert torch.equal(whole.model.head.weight, rounds.model.head.weight)
    for one, other in zip(whole.history, rounds.history, strict=True):
        assert other["loss"] == pytest.approx(one["loss"])
        assert other["free_gradient"] == pytest.approx(one["free_gradient"])


def test_an_epoch_that_costs_the_proxies_too_much_is_made_again_with_smaller_steps(digits_model, forget, soft, proxies):
    """Without projection a large rate wrecks the proxies; whatever stands in the end must keep the margin."""
    rule = StoppingRule(forget_accuracy=0.0, margin=5.0)
    found = run(digits_model, forget, soft, epochs=2, rate=0.3, proxies=proxies, rule=rule)
    assert found.history
    assert found.history[0]["learning_rate"] < 0.3
    assert all(row["proxy_harm"] <= 5.0 for row in found.history)
    with torch.no_grad():
        now, before = found.model(proxies.images).argmax(1), digits_model(proxies.images).softmax(1)
    kept = (now == before.argmax(1)).float().mean()
    lost = torch.stack([row.max() - row[new] for row, new in zip(before, now, strict=True)]).mean()
    assert 100 * float(kept) == pytest.approx(found.history[-1]["proxy_agreement"], abs=1e-3)
    assert 100 * float(lost) == pytest.approx(found.history[-1]["proxy_harm"], abs=1e-2)


def test_a_proxy_that_the_original_wavered_over_does_no_harm_where_it_is_read_otherwise(digits_model, proxies):
    """A head so small that all answers are near to equal: half of the readings change, next to nothing is harmed."""
    wavering = copy.deepcopy(digits_model)
    with torch.no_grad():
        wavering.head.weight.mul_(1e-3)
        wavering.head.bias.mul_(1e-3)
    other = copy.deepcopy(wavering)
    with torch.no_grad():
        other.head.bias[:5] += 1.0
    few = replace(proxies, images=proxies.images[:100], labels=proxies.labels[:100])
    figures = descent._ProxyWatch(wavering, few).figures(other)
    assert figures["proxy_agreement"] < 90
    assert 0 < figures["proxy_harm"] < 1


def lengths(found):
    return [round(row["learning_rate"] / found.history[0]["learning_rate"], 6) for row in found.history]


@pytest.mark.slow
def test_steps_grow_where_many_epochs_have_not_reached_the_goal(
    digits_model, forget, soft, proxies, subspace, monkeypatch
):
    """Thirty epochs of so small a step leave most of the class; steps half as long again each reach the goal."""
    rule = StoppingRule(forget_accuracy=20.0, margin=3.0)
    shared = {"rate": 0.003, "proxies": proxies, "subspace": subspace, "rule": rule}
    found = run(digits_model, forget, soft, epochs=30, **shared)
    assert lengths(found)[: descent.PATIENT_EPOCHS] == [1.0] * descent.PATIENT_EPOCHS
    grown = lengths(found)[descent.PATIENT_EPOCHS :]
    assert grown == pytest.approx([descent.STEP_GROWTH ** (1 + k) for k in range(len(grown))])
    assert found.stopped == "rule"
    assert all(row["proxy_harm"] <= 3.0 for row in found.history)
    monkeypatch.setattr(descent, "STEP_GROWTH", 1.0)
    steady = run(digits_model, forget, soft, epochs=30, **shared)
    assert steady.stopped == "epochs"
    assert steady.history[-1]["forget_accuracy"] > 40


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "watched", "why"),
    [
        (None, True, "no rule"),
        (StoppingRule(forget_accuracy=None, margin=3.0), True, "no goal"),
        (StoppingRule(forget_accuracy=0.0, margin=3.0), False, "nobody would see the damage"),
    ],
)
def test_steps_keep_their_length(digits_model, forget, soft, proxies, subspace, monkeypatch, rule, watched, why):
    monkeypatch.setattr(descent, "PATIENT_EPOCHS", 2)
    watch = {"proxies": proxies} if watched else {}
    found = run(digits_model, forget, soft, epochs=4, rate=1e-4, subspace=subspace, rule=rule, **watch)
    assert lengths(found) == [1.0] * 4, why


@pytest.mark.slow
def test_steps_that_did_damage_do_not_grow_again(digits_model, forget, soft, proxies, monkeypatch):
    monkeypatch.setattr(descent, "PATIENT_EPOCHS", 1)
    rule = StoppingRule(forget_accuracy=-1.0, margin=5.0)
    found = run(digits_model, forget, soft, epochs=8, rate=0.3, proxies=proxies, rule=rule)
    rates = [0.3, *(row["learning_rate"] for row in found.history)]
    assert rates[1] < 0.3
    assert all(later <= earlier for earlier, later in itertools.pairwise(rates))


def test_steps_grow_no_further_than_the_cuts_could_take_back(digits_model, forget, soft, proxies, monkeypatch):
    monkeypatch.setattr(descent, "PATIENT_EPOCHS", 0)
    monkeypatch.setattr(descent, "STEP_GROWTH", 20.0)
    rule = StoppingRule(forget_accuracy=-1.0, margin=100.0)
    found = run(digits_model, forget, soft, epochs=4, rate=1e-9, proxies=proxies, rule=rule)
    rates = [row["learning_rate"] / 1e-9 for row in found.history]
    assert rates == pytest.approx([20, 400, descent.STEP_CUT**descent.RETRIES, descent.STEP_CUT**descent.RETRIES])


def test_when_no_step_is_small_enough_the_run_says_so(digits_model, forget, proxies, monkeypatch):
    monkeypatch.setattr(descent, "RETRIES", 0)
    labels, rule = torch.full((96, 10), 0.1), StoppingRule(forget_accuracy=0.0, margin=-1.0)  # nothing is enough
    with pytest.raises(UnlearningError, match=r"^no step was small enough: [^\n]*harm[^\n]*read as before[^\n]*$"):
        run(digits_model, forget, labels, rate=1e-4, proxies=proxies, rule=rule)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (1e30, r"a step became \S+ times as long as the weights in epoch 1; try a learning_rate below 1\.37174e\+27"),
        (math.nan, r"a step became nan times as long as the weights in epoch 1; try a learning_rate below nan"),
    ],
)
@pytest.mark.parametrize("rule", [None, StoppingRule(0.0, 100.0)])
def test_where_no_step_is_short_enough_the_run_ends_in_one_sentence(
    digits_model, forget, soft, state_of, assert_untouched, rate, said, rule
):
    before = state_of(digits_model)
    with pytest.raises(UnlearningError, match=f"^{said}$"):
        run(digits_model, forget, soft, rate=rate, rule=rule)
    assert_untouched(digits_model, before)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_the_run_in_one_sentence(digits_model, forget, soft, value):
    targets, lowest = torch.full((len(forget), digits_model.head.in_features), value), 0.1 / STEP_CUT**RETRIES
    with pytest.raises(
        UnlearningError, match=f"^the loss became {value} in epoch 1; try a learning_rate below {lowest:g}$"
    ):
        run(digits_model, forget, soft, rate=0.1, pull=Pull(targets, 1.0))


RUIN = 0.1
"""A rate at which the unprotected loop diverges within an epoch, on every instruction set."""


@pytest.mark.slow
@pytest.mark.parametrize("rule", [None, StoppingRule(-1.0, 100.0)])
def test_a_round_that_diverges_is_made_again_from_where_it_began(digits_model, forget, soft, monkeypatch, rule):
    """Nothing is left over of what was undone: as if the steps had been short enough at once."""
    found = run(digits_model, forget, soft, epochs=4, rate=RUIN, rule=rule)
    assert found.stopped == "epochs"
    losses = [row["loss"] for row in found.history]
    assert losses[-1] < losses[0]
    one = run(digits_model, forget, soft, epochs=1, rate=RUIN, rule=rule)
    rate = one.history[0]["learning_rate"]
    assert rate < RUIN
    calm = run(digits_model, forget, soft, epochs=1, rate=rate, rule=rule)
    assert all(torch.equal(a, b) for a, b in zip(calm.model.parameters(), one.model.parameters(), strict=True))
    unguarded(monkeypatch)
    ruined = run(digits_model, forget, soft, epochs=1, rate=RUIN, rule=StoppingRule(-1.0, 100.0))
    assert not ruined.history[0]["loss"] <= 2 * losses[0], "it does diverge"


def unguarded(monkeypatch):
    monkeypatch.setattr(descent.Guard, "stumble", staticmethod(lambda loss, length: ""))
    monkeypatch.setattr(descent.Guard, "fall", lambda guard: "")


def harmful_from(monkeypatch, number):
    """Let every look at the loss from the given one on see a fall."""
    looks = itertools.count(1)
    monkeypatch.setattr(descent.Guard, "fall", lambda guard: "the loss rose from 1 to 9" * (next(looks) >= number))


@pytest.mark.slow
def test_with_a_rule_the_loop_ends_with_the_last_good_round(digits_model, forget, soft, monkeypatch):
    rule = StoppingRule(-1.0, 100.0)
    good = run(digits_model, forget, soft, epochs=2, rule=rule)
    harmful_from(monkeypatch, 3)
    found = run(digits_model, forget, soft, epochs=9, rule=rule)
    assert (found.stopped, found.history) == ("rule", good.history)
    assert all(torch.equal(a, b) for a, b in zip(found.model.parameters(), good.model.parameters(), strict=True))


def test_with_a_rule_the_rounds_of_an_epoch_before_the_harmful_one_stand(digits_model, forget, soft, monkeypatch):
    monkeypatch.setattr(descent, "ROUND_IMAGES", 32)
    harmful_from(monkeypatch, 3)
    found = run(digits_model, forget, soft, epochs=9, rule=StoppingRule(-1.0, 100.0))
    assert (found.stopped, [row["images"] for row in found.history]) == ("rule", [64])


@pytest.mark.slow
@pytest.mark.parametrize(("number", "epoch"), [(1, 1), (3, 3)])
def test_without_a_rule_a_loop_that_cannot_go_on_is_refused(digits_model, forget, soft, monkeypatch, number, epoch):
    harmful_from(monkeypatch, number)
    said = f"^the loss rose from 1 to 9 in epoch {epoch}; try a learning_rate below 4.11523e-06$"
    with pytest.raises(UnlearningError, match=said):
        run(digits_model, forget, soft, epochs=9)


def test_a_resumed_loop_remembers_the_lowest_loss(digits_model, forget, soft, tmp_path, monkeypatch):
    cache, lowest = FileStageCache(tmp_path, "a"), []
    monkeypatch.setattr(descent.Guard, "settle", lambda guard: lowest.append(guard.lowest))
    with monkeypatch.context() as patch:
        patch.setattr(descent.Guard, "settle", lambda guard: setattr(guard, "lowest", 0.125))
        run(digits_model, forget, soft, epochs=2, cache=cache, report=Stop(epoch=1))
    run(digits_model, forget, soft, epochs=2, cache=cache)
    assert lowest == [0.125]


def lower_layers(model):
    layers = weight_layers(model)
    return list(layers)[: len(layers) // 2]


def same(one, other, names):
    return all(torch.equal(weight_layers(one)[name].weight, weight_layers(other)[name].weight) for name in names)


@pytest.fixture
def tender(digits_model, monkeypatch):
    """Proxies that are harmed as soon as a layer of the lower half moves."""

    def figures(watch, model):
        return {"proxy_agreement": 90.0, "proxy_harm": 0.0 if same(model, digits_model, lower_layers(model)) else 9.0}

    monkeypatch.setattr(descent._ProxyWatch, "figures", figures)


class Notes(Reporter):
    def __init__(self):
        self.sentences = []

    def note(self, sentence):
        self.sentences.append(sentence)


LAST = StoppingRule(forget_accuracy=5.0, margin=3.0, last_resort=True)


@pytest.mark.slow
@pytest.mark.usefixtures("tender")
def test_where_lower_layers_harm_the_proxies_the_upper_half_alone_is_moved(
    digits_model, forget, soft, proxies, subspace
):
    notes, count = Notes(), sum(not basis.full for basis in subspace.layers.values())
    found = run(
        digits_model, forget, soft, epochs=30, rate=0.1, subspace=subspace, proxies=proxies, rule=LAST, report=notes
    )
    assert found.stopped == "rule"
    assert found.history[-1]["forget_accuracy"] <= 5.0
    assert found.history[0]["learning_rate"] == 0.1, "the first step again"
    assert same(found.model, digits_model, lower_layers(digits_model))
    assert not torch.equal(found.model.head.weight, digits_model.head.weight)
    upper = count - count // 2
    assert notes.sentences == [descent.FROM_ABOVE.format(count, upper)]
    with pytest.raises(UnlearningError, match="no step was small enough"):
        run(
            digits_model,
            forget,
            soft,
            rate=0.1,
            subspace=subspace,
            proxies=proxies,
            rule=replace(LAST, last_resort=False),
        )


@pytest.mark.slow
def test_where_fewer_layers_do_no_better_what_there_was_before_stands(digits_model, forget, soft, proxies, monkeypatch):
    looks = itertools.count(1)
    monkeypatch.setattr(
        descent._ProxyWatch, "figures", lambda *_: {"proxy_agreement": 90.0, "proxy_harm": 9.0 * (next(looks) > 2)}
    )
    notes, rule = Notes(), replace(LAST, forget_accuracy=-1.0)
    found = run(digits_model, forget, soft, epochs=9, proxies=proxies, rule=rule, report=notes)
    good = run(digits_model, forget, soft, epochs=2)
    assert (found.stopped, len(found.history)) == ("rule", 2)
    assert all(torch.equal(a, b) for a, b in zip(found.model.parameters(), good.model.parameters(), strict=True))
    sizes = [len(weight_layers(digits_model))]
    while sizes[-1] > 1:
        sizes.append(sizes[-1] - sizes[-1] // 2)
    assert notes.sentences == [descent.FROM_ABOVE.format(a, b) for a, b in itertools.pairwise(sizes)]


def test_shortened_steps_that_would_never_arrive_are_given_up_for_fewer_layers(
    digits_model, forget, soft, proxies, monkeypatch
):
    monkeypatch.setattr(descent, "PATIENT_EPOCHS", 2)
    looks = itertools.count(1)  # the first look alone sees harm, so that the step is shortened
    monkeypatch.setattr(
        descent._ProxyWatch, "figures", lambda *_: {"proxy_agreement": 90.0, "proxy_harm": 9.0 * (next(looks) == 1)}
    )
    notes = Notes()
    found = run(digits_model, forget, soft, epochs=6, rate=1e-4, proxies=proxies, rule=LAST, report=notes)
    assert len(notes.sentences) == 1
    assert same(found.model, digits_model, lower_layers(digits_model))
    assert lengths(found) == pytest.approx([1, 1, *(3 * descent.STEP_GROWTH**k for k in range(4))], rel=1e-4)


@pytest.mark.slow
@pytest.mark.usefixtures("tender")
def test_a_loop_that_moves_fewer_layers_resumes_to_the_same_bytes(digits_model, forget, soft, proxies, tmp_path):
    memory, shared = FileStageCache(tmp_path, "a"), {"epochs": 4, "rate": 0.001, "proxies": proxies, "rule": LAST}
    whole = run(digits_model, forget, soft, **shared)
    first = run(digits_model, forget, soft, cache=memory, report=Stop(epoch=2), **shared)
    assert first.stopped == "cancelled"
    found = run(digits_model, forget, soft, cache=memory, **shared)
    assert found.history == whole.history
    assert all(torch.equal(a, b) for a, b in zip(found.model.parameters(), whole.model.parameters(), strict=True))


class Stop(Reporter):
    """Cancels at the n-th step or at the n-th epoch."""

    def __init__(self, step=0, epoch=0):
        self.step, self.at, self.steps, self.epochs = step, epoch, 0, 0

    def progress(self, stage, done, total, **figures):
        assert stage == "unlearn"
        assert 0 < done <= total
        assert "loss" in figures
        self.steps += 1
        if self.steps == self.step:
            raise Cancelled("stop")

    def epoch(self, number, total, model, **figures):
        self.epochs += 1
        assert number == self.epochs <= total
        assert {"loss", "forget_accuracy"} <= set(figures)
        if number == self.at:
            raise Cancelled("stop")


def test_every_step_within_an_epoch_is_told_with_the_mean_loss_so_far(digits_model, forget, soft):
    steps, parts, losses = len(forget) // 32, [], []

    class Look(Reporter):
        def progress(self, _stage, _done, _total, **figures):
            losses.append(figures["loss"])

        def partway(self, epoch, model, **figures):
            assert not model.training
            parts.append(epoch)
            since = losses[steps * int(epoch) :]
            assert figures["loss"] == pytest.approx(sum(since) / len(since))

    run(digits_model, forget, soft, epochs=2, report=Look())
    assert parts == pytest.approx([epoch + step / steps for epoch in (0, 1) for step in range(1, steps)])


@pytest.mark.parametrize(("stop", "rows"), [({"step": 5}, 1), ({"epoch": 2}, 2), ({"step": 1}, 0)])
def test_cancelling_returns_what_was_reached(digits_model, forget, soft, stop, rows):
    found = run(digits_model, forget, soft, epochs=9, report=Stop(**stop))
    assert found.stopped == "cancelled"
    assert len(found.history) == rows
    assert bool(found.model.head.weight.isfinite().all())
    assert not torch.equal(found.model.head.weight, digits_model.head.weight)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [None, StoppingRule(-1.0, 1.0)])
def test_a_loop_goes_on_after_its_last_epoch_with_steps_as_small_as_they_were(
    digits_model, forget, soft, proxies, tmp_path, rule
):
    class StopIn(Reporter):
        def __init__(self, number):
            self.number = number

        def epoch(self, number, total, model, **figures):
            if number == self.number:
                raise Cancelled("stop")

    settings = {"epochs": 4, "rate": 0.3 if rule else 0.01, "rule": rule, "proxies": proxies}
    whole = run(digits_model, forget, soft, **settings)
    assert rule is None or whole.history[0]["learning_rate"] < 0.3, "the rule has cut the steps"
    cache = FileStageCache(tmp_path, "a")
    cut = run(digits_model, forget, soft, **settings, cache=cache, report=StopIn(2))
    assert (cut.stopped, len(cut.history)) == ("cancelled", 2)
    rest = run(digits_model, forget, soft, **settings, cache=cache, seed=99)
    assert (rest.stopped, rest.history) == (whole.stopped, whole.history)
    assert all(torch.equal(a, b) for a, b in zip(rest.model.parameters(), whole.model.parameters(), strict=True))
    done = run(digits_model, forget, soft, **settings, cache=cache)
    assert done.history == whole.history, "a loop that had ended makes no further epoch"


@pytest.mark.slow
def test_a_loop_goes_on_with_steps_as_long_as_they_had_grown(
    digits_model, forget, soft, proxies, subspace, tmp_path, monkeypatch
):
    class Stop(Reporter):
        def epoch(self, number, total, model, **figures):
            if number == 2:
                raise Cancelled("stop")

    monkeypatch.setattr(descent, "PATIENT_EPOCHS", 1)
    rule = StoppingRule(forget_accuracy=0.0, margin=3.0)
    shared = {"epochs": 4, "rate": 0.001, "rule": rule, "proxies": proxies, "subspace": subspace}
    whole = run(digits_model, forget, soft, **shared)
    assert lengths(whole) == [1.0, 1.5, 2.25, 3.375]
    cache = FileStageCache(tmp_path, "a")
    run(digits_model, forget, soft, **shared, cache=cache, report=Stop())
    assert run(digits_model, forget, soft, **shared, cache=cache, seed=99).history == whole.history


def test_what_is_still_read_as_trained_is_not_forgotten(digits_model, forget, soft):
    with torch.no_grad():
        read = digits_model(to_pixels(forget.images)).argmax(1)
    own = torch.where(torch.arange(96) % 2 == 0, read, 3)  # half of them are read as they were trained
    barred = barred_labels(own, (5,), 10)
    schedule, context = Schedule(1e-7, 1, 96), RunContext(torch.Generator().manual_seed(0))
    subspace = empty_subspace(digits_model)
    found = descend(digits_model, forget.images, soft, barred, schedule, subspace=subspace, context=context)
    expected = 100 * float(((read == own) | (read == 5)).float().mean())
    assert found.history[0]["forget_accuracy"] == pytest.approx(expected)


@pytest.mark.slow
def test_a_step_whose_images_do_not_fit_together_is_the_same_step(digits_model, forget, soft, monkeypatch):
    targets = torch.randn(len(forget), digits_model.head.in_features, generator=torch.Generator().manual_seed(1))
    whole = run(digits_model, forget, soft, epochs=1, rate=0.05, pull=Pull(targets, 0.3))
    monkeypatch.setattr(batching, "CPU_BYTES", 5 * batching.bytes_of_one(digits_model, forget.images))
    parts = run(digits_model, forget, soft, epochs=1, rate=0.05, pull=Pull(targets, 0.3))
    assert parts.history[0]["loss"] == pytest.approx(whole.history[0]["loss"], rel=1e-3)
    for name, layer in weight_layers(parts.model).items():
        torch.testing.assert_close(layer.weight, weight_layers(whole.model)[name].weight, atol=1e-4, rtol=1e-3)
