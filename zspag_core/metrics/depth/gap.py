"""How much of the way from Original to Retrain is still left, stage by stage, over the stages, and at the worst."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEAST_PERCENT, LEAST_BITS, LEAST_STEPS = 5.0, 0.05, 4.0
"""How far Original and Retrain must lie apart, in a measure's own unit, to be the ends of a scale."""
_LEAST = {"bits": LEAST_BITS, "information": LEAST_BITS, "kept": LEAST_STEPS}


class ShareLeft(NamedTuple):
    """What is left of one measure at one stage.

    Attributes:
        measure: its key.
        stage: name of the stage; empty for a figure of the whole model.
        share: percent; 100 as the original, 0 as Retrain.
    """

    measure: str
    stage: str
    share: float


def least_gap(measure: str) -> float:
    """Return how far the ends of a measure, by its key, must lie apart."""
    return _LEAST.get(measure, LEAST_PERCENT)


def share_left(
    after: float | None, original: float | None, retrained: float | None, least: float = LEAST_PERCENT
) -> float | None:
    """Return which share of the way from Retrain to Original a figure is, percent.

    Args:
        after: of the unlearned model.
        original: of the original.
        retrained: of a model that never saw the classes.
        least: how far the two ends must lie apart.

    Returns:
        100 as the original, 0 as Retrain, outside of both beyond them; None where a figure is unknown or the ends are
        too near to each other. Whether more or less of the figure is better has no part in it.
    """
    if after is None or original is None or retrained is None or abs(original - retrained) < least:
        return None
    return 100 * (after - retrained) / (original - retrained)


def mean_left(
    after: Sequence[float | None],
    original: Sequence[float | None],
    retrained: Sequence[float | None],
    least: float = LEAST_PERCENT,
) -> float | None:
    """Return the same of the mean over stages: Σ (after − retrained) / Σ (original − retrained), percent.

    None where there is no stage, a figure is unknown, or the means lie less than `least` apart.
    """
    return share_left(mean_of_stages(after), mean_of_stages(original), mean_of_stages(retrained), least)


def mean_of_stages(figures: Sequence[float | None]) -> float | None:
    """Return the mean of figures, None where one is unknown or there is none."""
    known = [figure for figure in figures if figure is not None]
    return sum(known) / len(known) if known and len(known) == len(figures) else None


def worst(found: Iterable[ShareLeft]) -> ShareLeft | None:
    """Return where most is left; None where nothing can be said.

    A mean over measures can be bought by the easy ones. What an attacker finds is what the best attack finds.
    """
    return max(found, key=lambda left: left.share, default=None)
