"""What a trial is judged by: figures that a zero-shot method may see, and figures for grading only; without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from zspag_core.errors import UsageError
from zspag_core.metrics.catalogue import (
    ACC_RT,
    ACC_UT,
    FORGOTTEN_UP_TO,
    LEAD,
    PROBE,
    SAME_CLASS_AUC,
    SECONDS,
    Measure,
    in_sentence,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHANCE = 50.0
YARDSTICK = "yardstick"
"""Where in a run's answer its :func:`zspag_core.tuning.yardstick.measure` stands."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A figure that a sweep can be steered by.

    Attributes:
        key: its name on the command line and in records.
        title: its name for people.
        short: heading of a narrow column.
        unit: "%", "points", "nats" or "s".
        better: which way is good.
        graded: whether it needs data that a zero-shot method may not see: for grading only.
        meaning: what it is, one sentence.
    """

    key: str
    title: str
    short: str
    unit: str
    better: Literal["higher", "lower"]
    graded: bool
    meaning: str

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """Return the direction as Optuna calls it."""
        return "maximize" if self.better == "higher" else "minimize"


def _of(measure: Measure, better: Literal["higher", "lower"], meaning: str = "") -> Objective:
    """Return a measure of the catalogue, which is for grading only, as an objective."""
    return Objective(
        key=measure.key.rpartition(".")[2],
        title=measure.title,
        short=measure.short,
        unit=measure.unit,
        better=better,
        graded=True,
        meaning=meaning or measure.definition,
    )


RETAIN_FREE = Objective(
    key="retain_free",
    title="Retain-free score",
    short="score",
    unit="points",
    better="higher",
    graded=False,
    meaning="100 less the most points by which, given the drift, answers on proxies can have moved, less every point "
    f"above {FORGOTTEN_UP_TO:g} % of the images to forget that are still recognised.",
)
GRADED = Objective(
    key="graded",
    title="Graded score",
    short="graded",
    unit="points",
    better="higher",
    graded=True,
    meaning=f"Acc_rt, less every point of Acc_ut above {FORGOTTEN_UP_TO:g} %.",
)
OBJECTIVES: tuple[Objective, ...] = (
    RETAIN_FREE,
    Objective(
        key="forgotten",
        title="Forget images still recognised",
        short="forget images",
        unit="%",
        better="lower",
        graded=False,
        meaning="Images to forget, read as their class: the method saw them.",
    ),
    Objective(
        key="agreement",
        title="Proxies read as before",
        short="agreement",
        unit="%",
        better="higher",
        graded=False,
        meaning="Proxies, the same for all trials, read as the class that they stand for.",
    ),
    Objective(
        key="confidence",
        title="Confidence on proxies",
        short="confidence",
        unit="%",
        better="higher",
        graded=False,
        meaning="Mean probability that the model gives to the class that a proxy stands for.",
    ),
    Objective(
        key="divergence",
        title="Drift on proxies",
        short="drift",
        unit="nats",
        better="lower",
        graded=False,
        meaning="Mean divergence of the model's answers on proxies from the original's without the forgotten classes.",
    ),
    Objective(
        key="energy",
        title="Captured energy of proxies",
        short="energy",
        unit="%",
        better="higher",
        graded=False,
        meaning="Share of the run's own proxies' inputs inside the protected directions, mean over layers.",
    ),
    GRADED,
    _of(ACC_RT, "higher"),
    _of(ACC_UT, "lower"),
    _of(LEAD, "higher"),
    _of(PROBE, "lower"),
    Objective(
        key="membership",
        title="Membership · same class, distance from chance",
        short="membership",
        unit="points",
        better="lower",
        graded=True,
        meaning=f"How far the area under the curve lies from {CHANCE:g}: {in_sentence(SAME_CLASS_AUC.definition)}",
    ),
    _of(SECONDS, "lower"),
)
"""Every figure of a trial; the first is what a sweep is steered by where nobody says otherwise."""

BY_KEY = {objective.key: objective for objective in OBJECTIVES}
OWN_PROXIES = ("own_agreement", "own_confidence")
"""Figures of the run's own proxies, kept beside: each trial's are others, so they compare less fairly."""


def find_objectives(keys: Sequence[str]) -> tuple[Objective, ...]:
    """Return objectives by their keys.

    Raises:
        UsageError: none is named, one is unknown, or one is named twice.
    """
    if not keys or len(set(keys)) < len(keys) or not set(keys) <= BY_KEY.keys():
        raise UsageError(f"--objective: expected one or more of {', '.join(BY_KEY)}, each once, got {', '.join(keys)}")
    return tuple(BY_KEY[key] for key in keys)


def figures_of(answer: Mapping[str, Any]) -> dict[str, float | None]:
    """Return every figure of a finished trial.

    Args:
        answer: what result.json holds, and under "yardstick" what :func:`zspag_core.tuning.yardstick.measure` gave.
    """
    seen, after = answer.get(YARDSTICK) or {}, answer["after"]
    acc_rt, acc_ut, mask = after["acc_rt"], after["acc_ut"], answer["mask"]["acc_rt"]
    auc = after["mia"]["same_class"]["auc"]
    found: dict[str, float | None] = {
        name: seen.get(name) for name in ("forgotten", "agreement", "confidence", "divergence", *OWN_PROXIES)
    }
    return {
        "retain_free": score(unmoved(found["divergence"]), found["forgotten"]),
        **found,
        "energy": _energy(answer),
        "graded": score(acc_rt, acc_ut),
        "acc_rt": acc_rt,
        "acc_ut": acc_ut,
        "lead": None if acc_rt is None or mask is None else acc_rt - mask,
        "probe": after["probe"],
        "membership": None if auc is None else abs(auc - CHANCE),
        "seconds": _seconds(answer["seconds"]),
    }


def unmoved(divergence: float | None) -> float | None:
    """Return 100 less the most points by which answers can have moved, in the mean, by their divergence.

    Where a network is sure of its proxies, all trials leave it sure to the eighth digit, and confidence ranks them by
    chance; how far the answers have moved still tells them apart (docs/tuning.md).

    Args:
        divergence: mean Kullback-Leibler divergence, nats; None where there are no proxies.

    Source: total variation is at most the root of 1 - exp(-divergence) (Bretagnolle and Huber, 1979).
    """
    return None if divergence is None else 100 * (1 - math.sqrt(-math.expm1(-max(0.0, divergence))))


def score(kept: float | None, recognised: float | None) -> float | None:
    """Return what was kept, in percent, less every point recognised above the bar; None where either is unknown."""
    if kept is None or recognised is None:
        return None
    return kept - max(0.0, recognised - FORGOTTEN_UP_TO)


def _energy(answer: Mapping[str, Any]) -> float | None:
    """Return the share of the proxies' inputs in the protected directions, mean over layers, percent."""
    shares = [layer.get("captured_proxy") for layer in (answer.get("subspace") or {"layers": ()})["layers"]]
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known else None


def _seconds(stages: Mapping[str, float | None]) -> float:
    """Return the time of the method alone."""
    return sum(spent or 0.0 for stage, spent in stages.items() if stage != "evaluate")
