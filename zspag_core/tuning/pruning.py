"""When a trial is clearly lost: what its epochs say without remaining data, beside the trials that have ended."""

from __future__ import annotations

from statistics import quantiles
from typing import TYPE_CHECKING, Any

from zspag_core.tuning.objectives import score

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Curve = dict[float, float]
"""Share of the epochs that a run may take -> points."""

PRUNED = "pruned"
"""State of a trial that was stopped."""
LEAST = 4
"""Trials that must have ended before one is measured against them."""
WARM_UP = 1 / 3
"""Share of a trial's epochs within which it is never stopped: what forgets slowly looks lost at first."""
MARGIN = 5.0
"""Points by which a trial must lie below the lower quartile of the others, at the same epoch."""


def curve_of(epochs: Iterable[Mapping[str, Any]]) -> Curve:
    """Return what a run's epochs come to: proxies read as before, less every point above the bar still recognised.

    Args:
        epochs: as a run tells them; those without both figures are left out, so that a method that has no proxies is
            never stopped.
    """
    found = {
        row["epoch"] / row["total"]: score(row.get("proxy_agreement"), row.get("forget_accuracy")) for row in epochs
    }
    return {share: points for share, points in found.items() if points is not None}


def is_lost(curve: Curve, ended: Sequence[Curve]) -> bool:
    """Tell whether a trial lies so far below those that have ended that it need not go on.

    Args:
        curve: of the trial, as far as it has come.
        ended: of trials that came to their end; one that was done earlier keeps its best figure.
    """
    others = [other for other in ended if other]
    share = max(curve, default=0.0)
    if share < WARM_UP or len(others) < LEAST:
        return False
    reached = [_best_by(other, share) for other in others]
    return max(curve.values()) < quantiles(reached, n=4, method="inclusive")[0] - MARGIN


def _best_by(curve: Curve, share: float) -> float:
    """Return the best that a trial had reached by a share of its epochs, its first figure where it had none yet."""
    return max((points for at, points in curve.items() if at <= share), default=curve[min(curve)])
