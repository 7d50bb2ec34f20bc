"""How well a figure that sees no remaining data predicts one that does: rank correlation, and regret of the choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.tuning.objectives import BY_KEY, GRADED, OBJECTIVES

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]
LEAST = 3
"""Trials below which no rank correlation is told."""


def distinct(rows: Sequence[Row]) -> list[Row]:
    """Return the first trial of every point: another one of the same point says nothing new."""
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(repr(sorted(row["point"].items())), row)
    return list(found.values())


def agreements(rows: Sequence[Row], graded: str = GRADED.key) -> list[dict[str, Any]]:
    """Return, for every retain-free figure that the trials have, how well it predicts a graded one.

    Args:
        rows: finished trials, each with its "point" and "figures"; a point counts once.
        graded: key of the graded figure.

    Returns:
        [{"figure", "graded", "trials", "rank_correlation" (1: the same order, of good first), "chosen" (number of the
        trial that the figure takes for best), "best" (that which is), "regret" (by how much the chosen one is worse, in
        the graded figure's unit)}]
    """
    once = distinct(rows)
    found = (agreement(once, objective.key, graded) for objective in OBJECTIVES if not objective.graded)
    return [one for one in found if one is not None]


def agreement(rows: Sequence[Row], figure: str, graded: str = GRADED.key) -> dict[str, Any] | None:
    """Return how well one figure predicts a graded one, as in :func:`agreements`; None where no trial has both."""
    both = [row for row in rows if row["figures"].get(figure) is not None and row["figures"].get(graded) is not None]
    if not both:
        return None
    seen, truth = ([_good(row, key) for row in both] for key in (figure, graded))
    chosen = max(range(len(both)), key=lambda place: seen[place])
    best = max(range(len(both)), key=lambda place: truth[place])
    return {
        "figure": figure,
        "graded": graded,
        "trials": len(both),
        "rank_correlation": rank_correlation(seen, truth),
        "chosen": both[chosen]["number"],
        "best": both[best]["number"],
        "regret": truth[best] - truth[chosen],
    }


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation, ties at their mean rank; None for few values, or all alike.

    Source: Spearman, The proof and measurement of association between two things, 1904.
    """
    if len(first) < LEAST or len(set(first)) == 1 or len(set(second)) == 1:
        return None
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)


def _good(row: Row, key: str) -> float:
    """Return a figure so that more is better."""
    value = float(row["figures"][key])
    return value if BY_KEY[key].better == "higher" else -value
