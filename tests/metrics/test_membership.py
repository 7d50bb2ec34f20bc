from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu
from sklearn.dummy import DummyClassifier
from sklearn.metrics import roc_auc_score
from sklearn.svm import SVC

from zspag_core.metrics.membership import (
    MembershipScores,
    SameClass,
    auc_with_interval,
    confidence_svc,
    entropy_svc,
    membership,
    same_class,
    same_class_accuracy,
)
from zspag_core.metrics.predictions import LabelledLogits

pytestmark = pytest.mark.usefixtures("all_machines")


def group(count: int, margin: float, spread: float, seed: int, *, label: int = 0) -> LabelledLogits:
    """Samples of one label whose true logit leads by about `margin`."""
    logits = torch.zeros(count, 3)
    logits[:, 0] = margin + spread * torch.randn(count, generator=torch.Generator().manual_seed(seed))
    return LabelledLogits(logits, torch.full((count,), label))


def test_entropy_attack_knows_members_that_were_memorised():
    sure, unsure = group(200, 9, 0.2, 0), group(200, 0, 0.2, 1)
    assert entropy_svc(sure, unsure, group(50, 9, 0.2, 2), seed=0) == 100.0
    assert entropy_svc(sure, unsure, group(50, 0, 0.2, 3), seed=0) == 0.0


def test_confidence_attack_counts_non_members():
    sure, unsure = group(200, 9, 0.2, 0), group(200, 0, 0.2, 1)
    assert confidence_svc(sure, unsure, group(50, 9, 0.2, 2), seed=0) == 0.0
    assert confidence_svc(sure, unsure, group(50, 0, 0.2, 3), seed=0) == 100.0
    assert confidence_svc(sure, unsure, group(50, 9, 0.2, 2, label=1), seed=0) == 100.0  # surely another class


def test_svc_figures_equal_a_plain_fit_on_everything():
    inside, outside, asked = group(60, 2, 1, 0), group(60, 1, 1, 1), group(80, 1.5, 1, 2)
    is_member = np.array([True] * 60 + [False] * 60)
    for attack, value, sign in ((entropy_svc, "entropy", True), (confidence_svc, "confidence", False)):
        values = [getattr(part, value).numpy()[:, None] for part in (inside, outside, asked)]
        machine = SVC(C=3, kernel="rbf", gamma=1.0).fit(np.vstack(values[:2]), is_member)
        expected = 100 * np.mean(machine.predict(values[2]) == sign)
        assert 0 < expected < 100
        assert attack(inside, outside, asked, seed=0) == pytest.approx(expected)


def test_the_figure_is_the_mean_of_twenty_attacks():
    members, strangers, asked = group(400, 1, 1, 0), group(50, 0.8, 1, 1), group(80, 0.9, 1, 2)
    for attack, value, of_members in ((entropy_svc, "entropy", 1), (confidence_svc, "confidence", 0)):
        generator, shares = torch.Generator().manual_seed(5), []
        parts = [getattr(part, value) for part in (members, strangers)]
        for _ in range(20):
            drawn = [part[torch.randperm(len(part), generator=generator)[:50]] for part in parts]
            machine = SVC(C=3, gamma=1.0).fit(torch.cat(drawn)[:, None].numpy(), np.repeat([1, 0], 50))
            judged = machine.predict(getattr(asked, value)[:, None].numpy())
            shares.append(100 * (judged == of_members).mean())
        assert np.std(shares) > 1, "one attack says little"
        assert attack(members, strangers, asked, seed=5) == pytest.approx(np.mean(shares))


@pytest.mark.parametrize(("members", "strangers", "size", "attacks"), [
    (4000, 3000, 500, 20), (4000, 100, 100, 20), (600, 600, 500, 20), (400, 400, 400, 1),
])  # fmt: skip
@pytest.mark.parametrize("attack", [entropy_svc, confidence_svc])
def test_attacks_are_many_and_small(monkeypatch, attack, members, strangers, size, attacks):
    module, made = importlib.import_module("zspag_core.metrics.membership"), []

    class Counted(DummyClassifier):
        def __init__(self, **_):
            super().__init__()

        def fit(self, values, member):
            made.append(len(values))
            return super().fit(values, member)

    monkeypatch.setattr(module, "SVC", Counted)
    attack(group(members, 1, 1, 0), group(strangers, 1, 1, 1), group(30, 1, 1, 2), seed=0)
    assert made == [2 * size] * attacks


def test_groups_are_made_equal():
    """With 30 times more members than strangers, an unbalanced fit would call everybody a member."""
    members, strangers, asked = group(3000, 1, 1, 0), group(100, 0.6, 1, 1), group(400, 0.6, 1, 2)
    unbalanced = SVC(C=3, gamma=1.0).fit(
        torch.cat([members.entropy, strangers.entropy])[:, None].numpy(), np.repeat([1, 0], [3000, 100])
    )
    assert unbalanced.predict(asked.entropy[:, None].numpy()).mean() == 1.0
    assert entropy_svc(members, strangers, asked, seed=0) < 75.0


def test_same_class_tells_a_memorising_model_entirely():
    figures = same_class(group(100, 9, 0.2, 0), group(80, 0, 0.2, 1), seed=0)
    assert figures == SameClass(100.0, 100.0, (100.0, 100.0))


def test_same_class_accuracy_is_that_of_the_whole_figure():
    for seed in range(3):
        groups = group(90, 1.5, 1, seed), group(80, 1, 1, 99 + seed)
        assert same_class_accuracy(*groups, seed=seed) == same_class(*groups, seed=seed).accuracy
    assert same_class_accuracy(group(9, 1, 1, 0), group(80, 1, 1, 1), seed=0) is None


def test_same_class_sees_unlearning_that_overshoots():
    """Members with the larger loss are as exposed as members with the smaller one."""
    assert same_class(group(100, 0, 0.2, 0), group(100, 9, 0.2, 1), seed=0).auc == 100.0


@pytest.mark.slow
def test_same_class_is_at_chance_for_equal_distributions():
    figures = [same_class(group(500, 1, 1, seed), group(500, 1, 1, 99 + seed), seed=seed) for seed in range(5)]
    assert np.mean([figure.auc for figure in figures]) == pytest.approx(50, abs=3)
    assert np.mean([figure.accuracy for figure in figures]) == pytest.approx(50, abs=3)
    assert sum(figure.auc_ci[0] <= 50 <= figure.auc_ci[1] for figure in figures) >= 4


@pytest.mark.parametrize("sizes", [(50, 50), (53, 61)])
def test_same_class_is_exactly_at_chance_when_every_logit_is_masked(sizes):
    logits = torch.randn(sum(sizes), 3, generator=torch.Generator().manual_seed(0))
    logits[:, 0] = -torch.inf
    everyone = LabelledLogits(logits, torch.zeros(sum(sizes)).long())
    figures = same_class(everyone[: sizes[0]], everyone[sizes[0] :], seed=0)
    assert figures == SameClass(50.0, 50.0, (50.0, 50.0))


@pytest.mark.slow
def test_auc_against_two_references():
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(0.4, 1, 150).round(1), rng.normal(0, 1, 90).round(1)  # rounded: with ties
    auc, low, high = auc_with_interval(positive, negative, 0)
    truth = np.repeat([1, 0], [150, 90])
    assert auc == pytest.approx(100 * roc_auc_score(truth, np.concatenate([positive, negative])))
    assert auc == pytest.approx(100 * mannwhitneyu(positive, negative).statistic / (150 * 90))
    resampled = [
        roc_auc_score(truth, np.concatenate([rng.choice(positive, 150), rng.choice(negative, 90)])) for _ in range(200)
    ]
    assert [low, high] == pytest.approx(list(100 * np.percentile(resampled, [2.5, 97.5])), abs=2.5)


def test_few_samples_leave_the_figure_undefined():
    few, enough = group(9, 1, 1, 0), group(10, 1, 1, 1)
    for attack in (entropy_svc, confidence_svc):
        for groups in ((few, enough, enough), (enough, few, enough), (enough, enough, few)):
            assert attack(*groups, seed=0) is None
        assert attack(enough, enough, enough, seed=0) is not None
    assert same_class(few, enough, seed=0) == same_class(enough, few, seed=0) == SameClass(None, None, None)
    assert same_class(enough, enough, seed=0).auc is not None


@pytest.mark.slow
def test_the_seed_decides_the_draw():
    members, strangers, asked = group(900, 1, 1, 0), group(900, 0.6, 1, 1), group(400, 0.8, 1, 2)
    figures = [entropy_svc(members, strangers, asked, seed=seed, limit=60) for seed in (0, 0, 1, 2)]
    assert figures[0] == figures[1]
    assert len(set(figures)) > 1
    assert same_class(members, strangers, seed=4) == same_class(members, strangers, seed=4)


def test_membership_gathers_the_three_as_plain_values():
    scores = MembershipScores(*(group(40, margin, 1, seed) for seed, margin in enumerate((2, 1, 2, 1))))
    figures = membership(scores, seed=3)
    parts = scores.retain_train, scores.retain_test, scores.forget_train
    expected = same_class(scores.forget_train, scores.forget_test, seed=3)
    assert figures.to_dict() == {
        "entropy_svc": entropy_svc(*parts, seed=3),
        "confidence_svc": confidence_svc(*parts, seed=3),
        "same_class": {"accuracy": expected.accuracy, "auc": expected.auc, "auc_ci": list(expected.auc_ci)},
    }
    few = group(3, 1, 1, 0)
    nothing = membership(MembershipScores(few, few, few, few), seed=0).to_dict()
    assert nothing["same_class"] == {"accuracy": None, "auc": None, "auc_ci": None}
