"""Membership inference: can one tell from the outputs what a model was trained on? Three figures, three directions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from zspag_core.metrics.predictions import LabelledLogits

LIMIT = 2000  # samples a group at most
ATTACKS, ATTACKED = 20, 500  # machines that a figure is the mean of; samples a group that one learns from at most
FEWEST = 10  # samples a group at least; a figure from fewer is undefined
SPLITS = 5
RESAMPLES = 500


@dataclass(frozen=True)
class SameClass:
    """How well members are told from non-members of the same class; 50 is ideal.

    Attributes:
        accuracy: cross-validated accuracy, percent.
        auc: area under the ROC curve, percent.
        auc_ci: its 95 % bootstrap interval, percent.
    """

    accuracy: float | None
    auc: float | None
    auc_ci: tuple[float, float] | None


@dataclass(frozen=True)
class Membership:
    """The three figures of one model, in percent; None where undefined.

    Attributes:
        entropy_svc: share of forget samples judged member, mean of 20 attacks; nearer to Retrain's is better.
        confidence_svc: share of forget samples judged non-member, likewise; higher is better, saturates at 100.
        same_class: forget-train against forget-test; 50 is ideal.
    """

    entropy_svc: float | None
    confidence_svc: float | None
    same_class: SameClass

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        figures = asdict(self)
        interval = self.same_class.auc_ci
        figures["same_class"]["auc_ci"] = None if interval is None else list(interval)
        return figures


@dataclass(frozen=True)
class MembershipScores:
    """The outputs that the attacks look at; their entropy, confidence and loss are what a histogram draws.

    Attributes:
        retain_train: remaining classes, seen in training.
        retain_test: remaining classes, not seen.
        forget_train: forgotten classes, seen in the original training.
        forget_test: forgotten classes, not seen.
    """

    retain_train: LabelledLogits
    retain_test: LabelledLogits
    forget_train: LabelledLogits
    forget_test: LabelledLogits


def membership(scores: MembershipScores, *, seed: int) -> Membership:
    """Compute all three figures with one seed."""
    return Membership(
        entropy_svc(scores.retain_train, scores.retain_test, scores.forget_train, seed=seed),
        confidence_svc(scores.retain_train, scores.retain_test, scores.forget_train, seed=seed),
        same_class(scores.forget_train, scores.forget_test, seed=seed),
    )


def entropy_svc(
    retain_train: LabelledLogits,
    retain_test: LabelledLogits,
    forget_train: LabelledLogits,
    *,
    seed: int,
    limit: int = ATTACKED,
) -> float | None:
    """Compute the share of forget samples that attacks on the softmax entropy judge to be members.

    An RBF support vector machine (C = 3, gamma = 1) learns members (retained train) from non-members (retained test),
    equal numbers of each, on the outputs of the very model that is asked about. Where members and non-members are hard
    to tell apart, one machine may say anything: its verdict on the shipped model of Fashion-MNIST has a standard
    deviation of 33 over draws of 2,000 a group, on one of the digits of 28 over draws of 322. The figure is the mean of
    twenty attacks on 500 a group, which takes 2.6 times as long as one on 2,000: standard deviation 1 to 5, and a level
    of its own, since smaller attacks know less (table in docs/choices.md).

    Args:
        retain_train: members; at most `limit` of them are drawn for an attack.
        retain_test: non-members; as many are drawn.
        forget_train: whom the attacks are asked about.
        seed: of the draws.
        limit: most samples per group.

    Returns:
        Percent; None with fewer than ten samples in a group. Nearer to Retrain's figure is better.

    Source: Acc_mia of the ZS-PAG paper, section 4.1 (direction inferred from its table 2).
    """
    return _share_judged_member(retain_train.entropy, retain_test.entropy, forget_train.entropy, seed, limit)


def confidence_svc(
    retain_train: LabelledLogits,
    retain_test: LabelledLogits,
    forget_train: LabelledLogits,
    *,
    seed: int,
    limit: int = ATTACKED,
) -> float | None:
    """Compute the share of forget samples that attacks on the true label's probability judge to be non-members.

    Args:
        retain_train: members; at most `limit` of them are drawn for an attack.
        retain_test: non-members; as many are drawn.
        forget_train: whom the attacks are asked about.
        seed: of the draws.
        limit: most samples per group.

    Returns:
        Percent, the mean of twenty attacks as in :func:`entropy_svc`; None with fewer than ten samples in a group.
        Higher is better; saturates at 100 in class unlearning.

    Source: "MIA efficacy" of Fan et al., SalUn, 2024.
    """
    share = _share_judged_member(retain_train.confidence, retain_test.confidence, forget_train.confidence, seed, limit)
    return None if share is None else 100.0 - share


def same_class(
    forget_train: LabelledLogits, forget_test: LabelledLogits, *, seed: int, limit: int = LIMIT
) -> SameClass:
    """Tell forget-train from forget-test samples by their loss: within one class, only membership differs.

    Logistic regression on the standardised loss, five stratified splits, equal numbers of both; every sample is scored
    by the fit that did not see it. The interval resamples members and non-members separately.

    Args:
        forget_train: members of the original training set.
        forget_test: samples of the same classes that were never trained on.
        seed: of the draw, the splits and the bootstrap.
        limit: most samples per group.

    Returns:
        Percentages, 50 being ideal; all None with fewer than ten samples in a group.

    Source: the same-class attack of protocols after Yeom et al., 2018 (loss threshold).
    """
    found = _threshold_attack(forget_train, forget_test, seed, limit)
    if found is None:
        return SameClass(None, None, None)
    scores, member = found
    auc, low, high = auc_with_interval(scores[member == 1], scores[member == 0], seed)
    return SameClass(_accuracy(scores, member), auc, (low, high))


def same_class_accuracy(
    forget_train: LabelledLogits, forget_test: LabelledLogits, *, seed: int, limit: int = LIMIT
) -> float | None:
    """Compute the accuracy of :func:`same_class` alone, for looks that are taken again and again."""
    found = _threshold_attack(forget_train, forget_test, seed, limit)
    return None if found is None else _accuracy(*found)


def _threshold_attack(
    forget_train: LabelledLogits, forget_test: LabelledLogits, seed: int, limit: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """Return the score of every sample, above 0 for a member, and who is one; None with too few samples."""
    groups = _draw_equal(forget_train.loss, forget_test.loss, torch.Generator().manual_seed(seed), limit)
    if groups is None:
        return None
    values = np.concatenate(groups)[:, None]
    member = np.repeat([1, 0], len(groups[0]))
    attack = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    splits = StratifiedKFold(SPLITS, shuffle=True, random_state=seed % 2**32)
    with config_context(assume_finite=True, skip_parameter_validation=True):  # checks took a third of the time
        return cross_val_predict(attack, values, member, cv=splits, method="decision_function"), member


def _accuracy(scores: NDArray[np.float64], member: NDArray[np.int64]) -> float:
    """Return how many are told right, percent; no evidence either way is a coin toss."""
    return 100 * float(np.where(scores == 0, 0.5, (scores > 0) == member).mean())


def _share_judged_member(member: Tensor, stranger: Tensor, asked: Tensor, seed: int, limit: int) -> float | None:
    """Fit machines on members and strangers, one value a sample; return the share of members among those asked, %."""
    generator = torch.Generator().manual_seed(seed)
    everybody = len(member) == len(stranger) <= limit
    count = 1 if everybody else ATTACKS  # every draw would be the same
    drawn = [groups for _ in range(count) if (groups := _draw_equal(member, stranger, generator, limit)) is not None]
    if not drawn or len(asked) < FEWEST:
        return None
    values = asked.numpy()[:, None]
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:  # a machine leaves Python alone while it learns
        return fmean(pool.map(lambda groups: _judged_member(groups[0], groups[1], values), drawn))


def _judged_member(member: NDArray[Any], stranger: NDArray[Any], asked: NDArray[Any]) -> float:
    """Fit one machine on equally many members and strangers, (n,); return the share of members among those asked, %."""
    values = np.concatenate([member, stranger])[:, None]
    attack = SVC(C=3, kernel="rbf", gamma="auto").fit(values, np.repeat([1, 0], len(member)))
    return 100 * float(attack.predict(asked).mean())


def _draw_equal(
    first: Tensor, second: Tensor, generator: torch.Generator, limit: int
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Draw equally many values of both groups without replacement; None with fewer than ten in either."""
    count = min(len(first), len(second), limit)
    if count < FEWEST:
        return None
    one, two = (group[torch.randperm(len(group), generator=generator)[:count]].numpy() for group in (first, second))
    return one, two


def auc_with_interval(
    positive: NDArray[np.float64], negative: NDArray[np.float64], seed: int
) -> tuple[float, float, float]:
    """Return the AUC of scores and its 95 % stratified bootstrap interval, percent."""
    rng = np.random.default_rng(seed % 2**32)
    sizes = len(positive), len(negative)
    drawn = [rng.multinomial(size, np.full(size, 1 / size), size=RESAMPLES) for size in sizes]
    above, below = (np.vstack([np.ones(len(times[0])), times]) for times in drawn)  # row 0 is the sample itself
    ordered = np.sort(negative)
    beaten = np.pad(below.cumsum(axis=1), ((0, 0), (1, 0)))  # (1 + RESAMPLES, negatives + 1)
    left, right = (np.searchsorted(ordered, positive, side) for side in ("left", "right"))
    areas = 50 * (above * (beaten[:, left] + beaten[:, right])).sum(axis=1) / (sizes[0] * sizes[1])
    low, high = np.percentile(areas[1:], [2.5, 97.5])
    return float(areas[0]), float(low), float(high)
