"""Membership inference by one threshold: the simplest attack, which a person can move by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

BINS = 40
FLOOR = 1e-6  # smaller entropies and losses share the first bar
MEASURES = ("loss", "entropy", "confidence")


@dataclass(frozen=True)
class Verdict:
    """How well one threshold tells members from strangers, all in percent.

    Attributes:
        accuracy: mean of the shares of both groups that are judged right; 50 is a coin toss.
        members_found: share of the members judged member (true positive rate).
        false_alarms: share of the strangers judged member (false positive rate).
    """

    accuracy: float
    members_found: float
    false_alarms: float


@dataclass(frozen=True)
class ThresholdAttack:
    """Whom an attack compares.

    Attributes:
        title: in a list.
        members: group that was trained on.
        strangers: group that was not.
        asked: third group that the same threshold is asked about, empty for none.
        sentence: what the figures mean.
    """

    title: str
    members: str
    strangers: str
    asked: str
    sentence: str


ATTACKS = {
    "same": ThresholdAttack(
        "Forgotten class: trained on or not?",
        "forget_train",
        "forget_test",
        "",
        "Both groups are forgotten images; only the first were ever trained on. After good unlearning they look the "
        "same, and the best threshold is no better than a coin toss (50 %).",
    ),
    "across": ThresholdAttack(
        "Remaining classes teach the attack",
        "retain_train",
        "retain_test",
        "forget_train",
        "The threshold is learnt on remaining images and then asked about the forgotten training images: how many of "
        "them still look trained on?",
    ),
}


def member_if_above(measure: str) -> bool:
    """Tell on which side of the threshold members are: high confidence, but low entropy and low loss."""
    return measure == "confidence"


def edges_of(groups: Mapping[str, Array], measure: str) -> list[float]:
    """Return the edges of the bars that all groups share: evenly spaced shares, or powers for entropy and loss.

    Args:
        groups: name -> values (n,).
        measure: "entropy", "confidence" or "loss".
    """
    if measure == "confidence":
        return [float(edge) for edge in np.linspace(0, 1, BINS + 1)]
    values = np.concatenate([np.maximum(values, FLOOR) for values in groups.values()] or [np.array([FLOOR])])
    low, high = float(np.log10(values.min())), float(np.log10(values.max()))
    low, high = np.floor(4 * low) / 4, max(np.ceil(4 * high) / 4, np.floor(4 * low) / 4 + 0.25)
    return [float(f"{10**power:.4g}") for power in np.linspace(low, high, BINS + 1)]


def shares_of(values: Array, edges: Sequence[float]) -> list[float]:
    """Return the share of the values in each bar, in percent; what lies outside counts for the outermost bar."""
    clipped = np.clip(values, edges[0], edges[-1])
    counts, _ = np.histogram(clipped, edges)
    return [float(share) for share in 100 * counts / max(1, len(values))]


def judged_member(values: Array, threshold: float, measure: str) -> float:
    """Return the share of the values judged member, in percent; a value at the threshold is judged a member."""
    if not len(values):
        return float("nan")
    hits = values >= threshold if member_if_above(measure) else values <= threshold
    return 100 * float(hits.mean())


def judge(members: Array, strangers: Array, threshold: float, measure: str) -> Verdict:
    """Return how well a threshold does."""
    found, alarms = (judged_member(values, threshold, measure) for values in (members, strangers))
    return Verdict((found + 100 - alarms) / 2, found, alarms)


def best_threshold(members: Array, strangers: Array, edges: Sequence[float], measure: str) -> float:
    """Return the edge with the best accuracy; among equals the middle one."""
    found = [judge(members, strangers, edge, measure).accuracy for edge in edges]
    best = [edge for edge, accuracy in zip(edges, found, strict=True) if accuracy >= max(found) - 1e-9]
    return best[len(best) // 2]
