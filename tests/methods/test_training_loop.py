from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from torch.nn import functional as F

from tests.methods.networks import NETWORKS
from zspag_core import batching
from zspag_core.data import Split, to_pixels
from zspag_core.errors import UnlearningError
from zspag_core.methods import find_method
from zspag_core.methods.training_loop import SGDSettings, Steps, TrainingSamples, match, repeat, spread
from zspag_core.models import build
from zspag_core.progress import Reporter
from zspag_core.runs.context import RunContext
from zspag_core.runs.stage_cache import FileStageCache

NAMES = ("finetune", "neggrad", "neggrad_zs", "badt", "badt_zs", "salun", "salun_zs", "delete", "jit", "mu_mis")
NAMES += ("spotter", "scrub")
RIVALS = tuple(map(find_method, NAMES))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def unlearn(method, model, forget, retain, *, seed=0, classes=(3,), **rest):
    data = [forget, retain] if method.needs_retain else [forget]
    return method.unlearn(model, *data, classes, RunContext(seeded(seed), **rest))


def same_weights(one, two):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def places(pairs, kind):
    return torch.cat([getattr(pair, kind) for pair in pairs])


def test_a_spread_pass_has_every_sample_once_and_even_steps():
    pairs = spread(20, 100, 16, seeded())
    assert len(pairs) == 8
    assert {len(pair.forget) for pair in pairs} == {2, 3}
    assert {len(pair.retain) for pair in pairs} == {12, 13}
    assert sorted(places(pairs, "forget").tolist()) == list(range(20))
    assert sorted(places(pairs, "retain").tolist()) == list(range(100))
    assert not torch.equal(places(pairs, "forget"), places(spread(20, 100, 16, seeded(1)), "forget"))


def test_few_forget_samples_are_spread_over_all_steps():
    held = [len(pair.forget) for pair in spread(3, 90, 10, seeded())]
    assert held == [0, 0, 0, 1, 0, 0, 1, 0, 0, 1]


def test_a_spread_pass_over_forget_samples_alone():
    pairs = spread(10, 0, 4, seeded())
    assert [(len(pair.forget), len(pair.retain)) for pair in pairs] == [(3, 0), (3, 0), (4, 0)]


def test_a_matched_pass_has_every_remaining_sample_once_and_as_many_forget_samples():
    pairs = match(20, 50, 16, seeded())
    assert [(len(pair.forget), len(pair.retain)) for pair in pairs] == [(16, 16)] * 3 + [(2, 2)]
    assert sorted(places(pairs, "retain").tolist()) == list(range(50))
    drawn = places(pairs, "forget")
    assert sorted(drawn[:20].tolist()) == sorted(drawn[20:40].tolist()) == list(range(20))
    assert len(set(drawn[40:].tolist())) == 10


def steps_of(model, forget, retain, **rest):
    def loss(logits, pair):
        return F.cross_entropy(logits, torch.cat([forget.labels[pair.forget], retain.labels[pair.retain]]))

    settings = {
        "optimizer": partial(torch.optim.SGD, lr=0.01),
        "order": partial(spread, len(forget), len(retain), 32),
    }
    return Steps(model, TrainingSamples(forget, retain, (3,)), loss, **(settings | rest))


@pytest.mark.usefixtures("exact")
def test_steps_are_the_optimisers_own(digits_model, forget, retain, state_of, assert_untouched):
    before = state_of(digits_model)
    sgd = partial(SGDSettings().sgd, learning_rate=1e-3)
    found = repeat(steps_of(digits_model, forget, retain, optimizer=sgd), 2, RunContext(seeded()))
    assert_untouched(digits_model, before)
    model, generator = copy.deepcopy(digits_model), seeded()
    weights = [weight.detach() for weight in model.parameters()]
    speed = [torch.zeros_like(weight) for weight in weights]
    for _ in range(2):
        for pair in spread(40, 90, 32, generator):
            batch = Split(*(torch.cat(parts) for parts in (
                (forget.images[pair.forget], retain.images[pair.retain]),
                (forget.labels[pair.forget], retain.labels[pair.retain]),
            )))  # fmt: skip
            loss = F.cross_entropy(model(to_pixels(batch.images)), batch.labels)
            slope = torch.autograd.grad(loss, list(model.parameters()))
            speed = [0.9 * v + g + 5e-4 * w for v, g, w in zip(speed, slope, weights, strict=True)]
            for weight, step in zip(weights, speed, strict=True):
                weight.sub_(step, alpha=1e-3)
    for one, two in zip(found.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)


def test_batch_statistics_stay_and_the_result_is_an_ordinary_model(digits_model, forget, retain):
    found = repeat(steps_of(digits_model, forget, retain), 1, RunContext(seeded()))
    after = found.model.state_dict()
    for name, value in digits_model.state_dict().items():
        assert torch.equal(after[name], value) == ("running" in name or "num_batches" in name), name
    assert not found.model.training
    assert all(weight.requires_grad and weight.grad is None for weight in found.model.parameters())


def test_figures_are_those_before_each_step(digits_model, forget, retain):
    still = partial(torch.optim.SGD, lr=0.0)
    found = repeat(steps_of(digits_model, forget, retain, optimizer=still), 1, RunContext(seeded()))
    with torch.no_grad():
        here = digits_model(to_pixels(forget.images))
        there = digits_model(to_pixels(retain.images))
    loss = F.cross_entropy(torch.cat([here, there]), torch.cat([forget.labels, retain.labels]))
    row = found.history[0]
    assert row["loss"] == pytest.approx(float(loss), rel=0.02)
    assert row["forget_accuracy"] == pytest.approx(100 * float((here.argmax(1) == 3).float().mean()))


def test_progress_counts_all_steps(digits_model, forget, retain, stop_after):
    report = stop_after(0)
    repeat(steps_of(digits_model, forget, retain), 2, RunContext(seeded(), report))
    assert report.heard == [("unlearn", number, 10) for number in range(1, 11)]


def test_weights_that_are_no_numbers_are_refused(digits_model, forget, retain):
    """After the last step nothing else would look at them."""
    work = steps_of(digits_model, forget, retain, order=lambda generator: spread(40, 90, 200, generator))
    work.update = lambda: work.model.head.bias.data.fill_(torch.nan)
    with pytest.raises(UnlearningError, match=r"the loss became nan in epoch 1; try a learning_rate below 0\.01"):
        repeat(work, 1, RunContext(seeded()))


@pytest.mark.slow
@pytest.mark.parametrize("kind", RIVALS, ids=lambda kind: kind.name)
def test_cancelled_or_resumed_or_again(kind, digits_model, forget, retain, tmp_path, stop_after):
    """Same seed, same bytes, also with a cache and after an interruption; a cancelled run returns what it reached."""
    method = kind(epochs=2, batch_size=32, learning_rate=1e-4)
    whole = unlearn(method, digits_model, forget, retain)
    assert whole.stopped == "epochs"
    assert [row["epoch"] for row in whole.history] == [1, 2]
    cache = FileStageCache(tmp_path, "a")
    cut = unlearn(method, digits_model, forget, retain, cache=cache, report=stop_after(1))
    assert (cut.stopped, len(cut.history)) == ("cancelled", 1)
    assert not same_weights(cut.model, digits_model)
    assert not same_weights(cut.model, whole.model)
    rest = unlearn(method, digits_model, forget, retain, cache=cache)
    assert rest.history == whole.history
    assert same_weights(rest.model, whole.model)
    assert not same_weights(unlearn(method, digits_model, forget, retain, seed=1).model, whole.model)


@pytest.mark.parametrize("name", ["finetune", "neggrad", "neggrad_zs", "salun", "salun_zs"])
def test_steps_that_are_too_long_end_in_a_sentence(name, digits_model, forget, retain):
    method = find_method(name)(epochs=40, batch_size=32, learning_rate=100.0)
    with pytest.raises(UnlearningError, match=r"the loss became \S+ in epoch \d+; try a learning_rate below 100$"):
        unlearn(method, digits_model, forget, retain)


@pytest.mark.parametrize("kind", [kind for kind in RIVALS if not kind.needs_retain], ids=lambda kind: kind.name)
def test_zero_shot_variants_cannot_be_given_remaining_data(kind, digits_model, forget, retain):
    with pytest.raises(TypeError):
        kind().unlearn(digits_model, forget, retain, (3,), RunContext(seeded()))
    with pytest.raises(TypeError):
        kind().unlearn(digits_model, forget, (3,), RunContext(seeded()), retain=retain)


@pytest.mark.slow
@pytest.mark.parametrize("kind", RIVALS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_architecture_learns_in_float_and_stays_whole(kind, network):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(NETWORKS[network]).eval()
    images = torch.randint(256, (12, 1, 8, 8), generator=seeded(), dtype=torch.uint8)
    forget, retain = Split(images[:4], torch.full((4,), 3)), Split(images[4:], torch.arange(8) % 3)
    steps = {"learning_rate": 1.0} if kind.name == "mu_mis" else {}  # what knows nothing is hardly sensitive
    found = unlearn(kind(epochs=1, batch_size=4, **steps), model, forget, retain)
    assert set(found.model.state_dict()) == set(model.state_dict())
    assert not same_weights(found.model, model)


def test_a_reporter_is_told_at_least_once_a_batch(digits_model, forget, retain):
    class Count(Reporter):
        stages: list[str] = []  # noqa: RUF012 - one test

        def progress(self, stage, done, total, **figures):
            self.stages.append(stage)

    for name, before in (("badt", ["labels"] * 2), ("badt_zs", ["labels"]), ("salun", ["unlearn"])):
        Count.stages = []
        unlearn(find_method(name)(epochs=1, batch_size=200), digits_model, forget, retain, report=Count())
        assert Count.stages == [*before, "unlearn"]


def test_what_is_still_read_as_trained_is_not_forgotten(digits_model, forget, retain):
    planted = Split(forget.images, torch.where(torch.arange(len(forget)) % 2 == 0, 3, 8))
    with torch.no_grad():
        read = digits_model(to_pixels(forget.images)).argmax(1)
    still = partial(torch.optim.SGD, lr=0.0)
    found = repeat(steps_of(digits_model, planted, retain, optimizer=still), 1, RunContext(seeded()))
    expected = 100 * float(((read == 3) | (read == planted.labels)).float().mean())
    assert found.history[0]["forget_accuracy"] == pytest.approx(expected)


@pytest.mark.slow
@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("name", ["neggrad", "badt", "salun"])
def test_steps_whose_images_do_not_fit_together_are_the_same_steps(name, digits_model, forget, retain, monkeypatch):
    method = find_method(name)(epochs=1)
    whole = unlearn(method, digits_model, forget, retain).model.state_dict()
    monkeypatch.setattr(batching, "CPU_BYTES", 7 * batching.bytes_of_one(digits_model, forget.images))
    parts = unlearn(method, digits_model, forget, retain).model.state_dict()
    for key, value in digits_model.state_dict().items():
        torch.testing.assert_close(parts[key], whole[key], atol=2e-5, rtol=1e-3)
        assert name == "salun" or value.ndim < 2 or not torch.equal(parts[key], value)
