from __future__ import annotations

import copy
from dataclasses import replace
from statistics import NormalDist

import pytest
import torch
from torch.nn import functional as F

from zspag_core import batching
from zspag_core.data import to_pixels
from zspag_core.errors import Cancelled
from zspag_core.metrics.accuracy import accuracy
from zspag_core.metrics.deep import Relearning, anamnesis_index, balanced, probe, relearn, relearning
from zspag_core.metrics.predictions import logits_of, outputs_of
from zspag_core.progress import Reporter

LABELS = torch.arange(10).repeat(40)
ONE_HOT = F.one_hot(LABELS, 10).float()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def parts(trained):
    return trained.dataset.train.of_classes([3]), trained.dataset.test.of_classes([3])


def test_probe_finds_every_class_in_one_hot_features():
    assert probe(ONE_HOT, LABELS, ONE_HOT[:100], LABELS[:100], [3, 7], 0) == 100.0


@pytest.mark.parametrize("forgotten", [[0], [3], [0, 3, 9]])
def test_probe_is_at_chance_on_constant_features(forgotten):
    features = torch.ones(400, 6)
    assert probe(features, LABELS, features, LABELS, forgotten, 0) == pytest.approx(10.0)


def test_probe_reaches_the_bayes_rate_of_two_gaussians():
    labels = torch.arange(2).repeat(4000)
    features = labels[:, None] * 2.0 + torch.randn(8000, 1, generator=seeded())
    figure = probe(features[:4000], labels[:4000], features[4000:], labels[4000:], [0, 1], 0)
    assert figure == pytest.approx(100 * NormalDist().cdf(1.0), abs=1.5)


def test_probe_gives_rare_classes_equal_weight():
    """Overlapping classes, 40 to 1: unweighted, the rare one would hardly ever be answered."""
    labels = torch.cat([torch.zeros(1600), torch.ones(40)]).long()
    features = labels[:, None] + torch.randn(1640, 1, generator=seeded())
    fresh_labels = torch.ones(1000).long()
    fresh = 1 + torch.randn(1000, 1, generator=seeded(1))
    figure = probe(features, labels, fresh, fresh_labels, [1], 0)
    assert figure == pytest.approx(100 * NormalDist().cdf(0.5), abs=12)


def test_probe_does_not_depend_on_the_scale_of_a_feature():
    features = torch.randn(300, 5, generator=seeded())
    labels = (features @ torch.randn(5, 4, generator=seeded(1)) + torch.randn(300, 4, generator=seeded(2))).argmax(1)
    scale = torch.tensor([1e-3, 1.0, 1e3, 5.0, 0.2])
    plain, scaled = (probe(x, labels, x, labels, [0, 1, 2, 3], 0) for x in (features, features * scale))
    assert plain == pytest.approx(scaled, abs=0.5)
    assert 40 < plain < 95


@pytest.mark.slow
def test_probe_is_of_the_features_not_of_the_model_that_has_none(trained, untrained):
    """A retrained network still separates the class it never saw, an untrained one less."""
    data = trained.dataset

    def figure(model):
        train, test = (outputs_of(model, split.images).features for split in (data.train, data.test))
        return probe(train, data.train.labels, test, data.test.labels, range(10), 0)

    assert figure(trained.original) > figure(trained.retrained) - 2 > figure(untrained)


def test_probe_same_seed_same_figure():
    features = torch.randn(4000, 5, generator=seeded())
    labels = (features[:, :3] + 2 * torch.randn(4000, 3, generator=seeded(1))).argmax(1)
    figures = [probe(features, labels, features, labels, [1], seed) for seed in (0, 0, 1)]
    assert figures[0] == figures[1] != figures[2]


def test_probe_is_undefined_without_samples():
    assert probe(ONE_HOT, LABELS, ONE_HOT, LABELS, [], 0) is None
    assert probe(ONE_HOT, LABELS, ONE_HOT[:2], LABELS[:2], [5], 0) is None
    assert probe(ONE_HOT[:1], LABELS[:1], ONE_HOT, LABELS, [5], 0) is None


def test_probe_misses_a_class_that_it_could_not_learn():
    known = LABELS != 3
    assert probe(ONE_HOT[known], LABELS[known], ONE_HOT, LABELS, [3], 0) == 0.0


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (torch.zeros(4), torch.zeros(4).long(), "shapes"),
        (torch.zeros(4, 2), torch.zeros(3).long(), "shapes"),
        (torch.full((4, 2), torch.nan), torch.zeros(4).long(), "finite"),
    ],
)
def test_probe_refuses_what_does_not_fit(features, labels, message):
    for arguments in ((features, labels, ONE_HOT, LABELS), (ONE_HOT, LABELS, features, labels)):
        with pytest.raises(ValueError, match=message):
            probe(*arguments, [0], 0)


def test_balanced_gives_every_class_its_share():
    labels = torch.tensor([0, 0, 0, 1, 0, 2, 2, 2])
    assert balanced(labels, 6).tolist() == [0, 1, 3, 5, 6]  # two each; class 1 has only one
    assert balanced(labels, 1).tolist() == [0, 3, 5]
    assert balanced(labels[:0], 6).tolist() == []


def literal_steps(model, forget_train, forget_test, target: float, lr: float, limit: int) -> int:
    """Relearning written out plainly for class 3 of 10, every 2 steps, all test images."""
    model, generator = copy.deepcopy(model).eval(), seeded()
    asked = forget_test[torch.randperm(len(forget_test), generator=generator)]
    calibration = forget_train[torch.randperm(len(forget_train), generator=generator)[:256]]
    weight, bias = model.head.weight.detach().clone(), model.head.bias.detach().clone()
    rest = [label for label in range(10) if label != 3]
    weight, bias = weight - weight[rest].mean(0), bias - bias[rest].mean()
    weight[3], bias[3] = 0, 0
    features = model.embed(to_pixels(calibration.images)).detach()
    scale = ((features @ weight.T + bias)[:, rest] ** 2).mean() ** 0.5
    model.head.weight.data, model.head.bias.data = weight / scale, bias / scale
    for step in range(0, limit, 2):
        if (model(to_pixels(asked.images)).argmax(1) == 3).float().mean() * 100 >= target:
            return step
        for _ in range(2):
            place = torch.randint(len(forget_train), (32,), generator=generator)
            loss = F.cross_entropy(model(to_pixels(forget_train.images[place])), forget_train.labels[place])
            for values, slope in zip(
                model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True
            ):
                values.data -= lr * slope
    raise AssertionError("not reached")


def test_relearning_counts_like_a_plain_loop(trained):
    expected = literal_steps(trained.original, *parts(trained), target=85.0, lr=0.01, limit=200)
    found = relearning(trained.original, *parts(trained), 85.0, lr=0.01, batch_size=32, generator=seeded())
    assert found == Relearning(expected, reached=True)
    assert expected > 0


@pytest.mark.slow
def test_relearning_is_quicker_where_the_class_is_still_known(trained, untrained):
    steps = [
        relearning(model, *parts(trained), 85.0, lr=0.005, max_steps=300, generator=seeded())
        for model in (trained.original, trained.retrained, untrained)
    ]
    assert steps[0].reached
    assert steps[0].steps * 1.3 < steps[1].steps < steps[2].steps
    assert anamnesis_index(steps[0].steps, steps[1].steps) < 0.8


@pytest.mark.slow
def test_the_final_layer_cannot_fake_forgetting(trained, masked):
    scaled = copy.deepcopy(trained.original)
    with torch.no_grad():
        scaled.head.weight *= 16
        scaled.head.bias.mul_(16).add_(4)
        scaled.head.bias[3] = -1e4
        scaled.head.weight[3] = 0
    found = [
        relearning(model, *parts(trained), 85.0, lr=0.01, generator=seeded())
        for model in (trained.original, masked, scaled)
    ]
    assert found[0] == found[1] == found[2]
    assert found[0].reached


@pytest.mark.slow
def test_relearn_asks_for_nine_tenths_of_what_the_original_knew(trained):
    data = trained.dataset
    known = accuracy(logits_of(trained.original, data.test.images), data.test.labels, [3]).acc_ut
    found = relearn(trained.retrained, data, [3], known, seed=5)
    forget, _ = parts(trained)
    assert found == relearning(trained.retrained, forget, data.test, 0.9 * known, generator=seeded(5))
    assert 0 < found.acc_rt < 100
    alone = relearning(trained.retrained, *parts(trained), 0.9 * known, generator=seeded(5))
    assert alone == replace(found, acc_rt=None), "no other classes, nothing to say of them"
    assert found == relearn(trained.retrained, data, (3,), known, seed=5)


@pytest.mark.parametrize("known", [None, 0.0])
def test_relearn_has_no_figure_where_the_original_knew_nothing(trained, known):
    assert relearn(trained.original, trained.dataset, [3], known, seed=0) is None


def test_relearn_has_no_figure_where_a_class_has_no_images_to_learn_from(trained):
    bare = replace(trained.dataset, train=trained.dataset.train.without_classes([4]))
    assert relearn(trained.original, bare, [3, 4], 90.0, seed=0) is None


def test_what_is_left_of_the_rest_is_asked_of_the_same_images_however_long_it_takes(trained, monkeypatch):
    from zspag_core.metrics import deep

    asked, real = [], deep.accuracy_on
    monkeypatch.setattr(deep, "accuracy_on", lambda model, split: (asked.append(split), real(model, split))[1])
    forget, _ = parts(trained)
    steps = []
    for lr in (0.01, 0.02):
        steps.append(relearning(trained.original, forget, trained.dataset.test, 85.0, lr=lr, generator=seeded()).steps)
        asked.append(None)
    ends = [asked[place - 1] for place, split in enumerate(asked) if split is None]
    assert steps[0] != steps[1]
    assert torch.equal(ends[0].images, ends[1].images)


@pytest.mark.slow
def test_a_model_that_answers_one_class_to_everything_has_not_relearnt_it(trained):
    (forget, _), test = parts(trained), trained.dataset.test
    slow, rash = (relearning(trained.original, forget, test, 85.0, lr=lr, generator=seeded()) for lr in (0.001, 3.0))
    assert (slow.reached, rash.reached) == (True, True)
    assert slow.acc_rt > 60
    assert rash.acc_rt < 20


def test_relearning_gives_up(trained):
    found = relearning(trained.retrained, *parts(trained), 100.0, lr=1e-6, max_steps=3, generator=seeded())
    assert found == Relearning(3, reached=False)


def test_relearning_leaves_the_model_alone(trained):
    model = copy.deepcopy(trained.original).train().requires_grad_(requires_grad=False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        found = relearning(model, *parts(trained), 85.0, lr=0.01, generator=seeded())
    assert found.reached
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert not any(values.requires_grad or values.grad is not None for values in model.parameters())


def test_relearning_reports_and_can_be_cancelled(trained):
    class Stop(Reporter):
        calls = 0

        def progress(self, stage, done, total, **figures):
            assert (stage, done, total) == ("relearning", self.calls, 50)
            self.calls += 1
            if self.calls == 3:
                raise Cancelled("stopped")

    report = Stop()
    with pytest.raises(Cancelled):
        relearning(trained.retrained, *parts(trained), 100.0, max_steps=50, generator=seeded(), report=report)
    assert report.calls == 3


def test_relearning_reports_the_step_that_reaches_the_target(trained):
    class Last(Reporter):
        done = -1

        def progress(self, stage, done, total, **figures):
            self.done = done

    report = Last()
    found = relearning(trained.original, *parts(trained), 85.0, lr=0.01, generator=seeded(), report=report)
    assert found.reached
    assert report.done == found.steps > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": 0}, "target: expected a percentage above 0, got 0"),
        ({"target": 101}, "target"),
        ({"lr": 0.0}, "lr, batch_size and max_steps"),
        ({"batch_size": 0}, "lr, batch_size and max_steps"),
        ({"max_steps": 0}, "lr, batch_size and max_steps"),
    ],
)
def test_relearning_refuses_numbers_out_of_range(trained, changes, message):
    train, test = parts(trained)
    with pytest.raises(ValueError, match=message):
        relearning(trained.original, train, test, **{"target": 80.0, "generator": seeded(), **changes})


def test_relearning_refuses_splits_that_cannot_be_used(trained):
    train, test = parts(trained)
    nothing = train[torch.zeros(len(train), dtype=torch.bool)]
    for pair in ((nothing, test), (train, nothing)):
        with pytest.raises(ValueError, match="forget samples: expected some"):
            relearning(trained.original, *pair, 80.0, generator=seeded())
    with pytest.raises(ValueError, match="at least one class to remain"):
        relearning(trained.original, trained.dataset.train, test, 80.0, generator=seeded())


def test_anamnesis_index():
    assert anamnesis_index(30, 40) == 0.75
    assert anamnesis_index(0, 40) == 0.0
    assert anamnesis_index(30, 0) is anamnesis_index(None, 40) is anamnesis_index(30, None) is None


@pytest.mark.slow
def test_relearning_whose_images_do_not_fit_together_takes_the_same_steps(trained, monkeypatch):
    data = trained.dataset
    whole = relearn(trained.original, data, [3], 90.0, seed=0, max_steps=40)
    monkeypatch.setattr(batching, "CPU_BYTES", 7 * batching.bytes_of_one(trained.original, data.test.images))
    assert relearn(trained.original, data, [3], 90.0, seed=0, max_steps=40) == whole
