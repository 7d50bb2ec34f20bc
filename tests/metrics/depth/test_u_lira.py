from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from zspag_core.metrics.depth.references import References
from zspag_core.metrics.depth.u_lira import ROUNDING, likelihood_ratios, log_odds, reach, u_lira

CLASSES, FORGET = 4, (1,)
STAYS = [0, 2, 3]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def halved(count, images, seed=0):
    """Return (count, images) bool, every image in half of the models."""
    return torch.rand(count, images, generator=seeded(seed)).argsort(dim=0) < count // 2


def answers(included, noise_seed):
    """Return logits (R, N, classes) of models that take images of class 1 for class 2, the surer where trained on."""
    logits = 0.3 * torch.randn(*included.shape, CLASSES, generator=seeded(noise_seed))
    logits[..., 2] += torch.randn(included.shape[1], generator=seeded(1)) + 4 + 2 * included
    logits[..., 1] += 9
    return logits


def moved(images):
    """Return eight references of that kind."""
    included = halved(8, images)
    return References(answers(included, 2), included)


def test_log_odds_by_hand():
    logits = torch.tensor([[1.0, 2.0, 0.5], [-torch.inf, 0.0, 0.0]], dtype=torch.float64)
    found = log_odds(logits, torch.tensor([1, 1]))
    p = math.exp(2) / (math.exp(1) + math.exp(2) + math.exp(0.5))
    assert found[0].item() == pytest.approx(math.log(p / (1 - p)))
    assert found[1].item() == pytest.approx(0.0)


def test_ratios_are_those_of_densities_written_out():
    """Six models, five images, one number after the other; scipy's densities."""
    included = halved(6, 5)
    references = References(torch.randn(6, 5, CLASSES, generator=seeded(3)), included)
    logits = torch.randn(5, CLASSES, generator=seeded(4))

    def odds(row, k):
        p = np.exp(row[STAYS]) / np.exp(row[STAYS]).sum()
        return math.log(p[k] / (1 - p[k]))

    told, asked, inside = references.logits.double().numpy(), logits.double().numpy(), included.numpy()
    logs = [[[math.log(np.exp(row[k]) / np.exp(row[STAYS]).sum()) for k in STAYS] for row in one] for one in told]
    best = np.array(logs).mean(axis=0).argmax(axis=1)
    answers = np.array([[odds(told[r, n], best[n]) for n in range(5)] for r in range(6)])
    expected = []
    for n in range(5):
        densities = []
        for counted in (inside, ~inside):
            squares = sum(((answers[counted[:, i], i] - answers[counted[:, i], i].mean()) ** 2).sum() for i in range(5))
            deviation = math.sqrt(squares / (5 * (3 - 1)) + ROUNDING)
            densities.append(norm.logpdf(odds(asked[n], best[n]), answers[counted[:, n], n].mean(), deviation))
        expected.append(densities[0] - densities[1])
    assert likelihood_ratios(logits, references, FORGET).tolist() == pytest.approx(expected)


def test_a_model_that_was_trained_on_the_members_is_told():
    members, references = torch.arange(200) < 120, moved(200)
    one = answers(members[None], 3)[0]
    found = u_lira(one, members, references, FORGET, seed=0)
    assert found.auc > 99
    assert found.auc_ci[0] > 97
    assert found.to_dict() == {"auc": found.auc, "auc_ci": list(found.auc_ci), "found": None}, "80 strangers are few"
    scores = likelihood_ratios(one, references, FORGET)
    assert found.auc == pytest.approx(100 * roc_auc_score(members.numpy(), scores.numpy()))
    assert (scores[members] > 0).double().mean() > 0.95


@pytest.mark.parametrize("trained", [True, False])
def test_of_a_model_that_treats_all_alike_nothing_is_told(trained):
    """One that was trained on every image, and one that was on none: members and strangers are the same to both."""
    members, references = torch.arange(1000) < 500, moved(1000)
    one = answers(torch.full((1, 1000), trained), 3)[0]
    found = u_lira(one, members, references, FORGET, seed=0)
    assert found.auc == pytest.approx(50, abs=6)
    assert found.found < 5


def test_what_a_forgotten_output_says_has_no_part_in_it():
    references, logits = moved(50), torch.randn(50, CLASSES, generator=seeded(5))
    plain = likelihood_ratios(logits, references, FORGET)
    for value in (-torch.inf, 40.0):
        other = logits.clone()
        other[:, 1] = value
        assert torch.equal(likelihood_ratios(other, references, FORGET), plain)
    told = references.logits.clone()
    told[..., 1] -= 100
    assert torch.equal(likelihood_ratios(logits, References(told, references.included), FORGET), plain)


def test_a_constant_added_to_all_logits_of_an_image_changes_nothing():
    references, logits = moved(50), torch.randn(50, CLASSES, generator=seeded(5)).double()
    shift = 30 * torch.randn(50, 1, generator=seeded(6)).double()
    plain = likelihood_ratios(logits, references, FORGET)
    torch.testing.assert_close(likelihood_ratios(logits + shift, references, FORGET), plain)
    other = References(references.logits.double() + shift, references.included)
    torch.testing.assert_close(likelihood_ratios(logits, other, FORGET), plain)


def test_a_blocked_remaining_output_is_an_answer_too():
    references, logits = moved(50), torch.zeros(50, CLASSES)
    logits[:, 2] = -torch.inf
    logits[:25, 0] = -torch.inf
    assert bool(likelihood_ratios(logits, references, FORGET).isfinite().all())


def test_references_that_agree_to_the_last_digit_give_numbers():
    references = References(torch.zeros(4, 30, CLASSES), halved(4, 30))
    found = u_lira(torch.zeros(30, CLASSES), torch.arange(30) < 15, references, FORGET, seed=0)
    assert (found.auc, found.auc_ci) == (50, (50, 50))


def test_too_few_images_or_classes_have_no_figure():
    references, logits = moved(30), torch.zeros(30, CLASSES)
    assert u_lira(logits, torch.arange(30) < 9, references, FORGET, seed=0) is None
    assert u_lira(logits, torch.arange(30) < 21, references, FORGET, seed=0) is None
    assert u_lira(logits, torch.arange(30) < 15, references, (0, 1, 2), seed=0) is None


@pytest.mark.parametrize(
    ("logits", "words"),
    [
        (torch.zeros(30, CLASSES + 1), "references' images and classes"),
        (torch.zeros(29, CLASSES), "references' images and classes"),
        (torch.zeros(30), "references' images and classes"),
        (torch.full((30, CLASSES), torch.nan), "got NaN or"),
        (torch.full((30, CLASSES), torch.inf), "got NaN or"),
    ],
)
def test_what_does_not_fit_is_refused(logits, words):
    with pytest.raises(ValueError, match=words):
        likelihood_ratios(logits, moved(30), FORGET)


def test_members_must_be_as_many_as_images():
    references = moved(30)
    with pytest.raises(ValueError, match=r"members: expected shape \(30,\)"):
        u_lira(torch.zeros(30, CLASSES), torch.ones(29, dtype=torch.bool), references, FORGET, seed=0)


def test_references_that_were_moved_find_it_in_each_other():
    assert reach(moved(200), FORGET) > 99


def test_reach_is_the_mean_over_references_asked_by_the_others():
    references = References(torch.randn(6, 40, CLASSES, generator=seeded(7)), halved(6, 40))
    areas = [
        roc_auc_score(
            references.included[r].numpy(),
            likelihood_ratios(references.logits[r], references.without(r), FORGET).numpy(),
        )
        for r in range(6)
    ]
    assert reach(references, FORGET) == pytest.approx(100 * np.mean(areas))


def test_where_none_can_be_left_out_there_is_no_reach():
    assert reach(References(torch.zeros(4, 30, CLASSES), halved(4, 30)), FORGET) is None
    assert reach(moved(30), (0, 1, 2)) is None
