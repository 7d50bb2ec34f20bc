"""The Playground's knobs: what each is called, what it can be, what turning it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zspag_core.attacks.catalogue import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Mapping

ATTACKS = {entry.key: entry.title for entry in BUILT_IN}
EUCLIDEAN = ("cw", "deepfool")
"""Attacks whose budget is a disc, not a square."""
LABELS = {
    "posterior": "posterior",
    "second_best": "second best",
    "random": "random",
    "influence_anchored": "influence, anchored",
    "influence": "influence",
}
GUARDS = {"estimated": "what proxies use", "random": "random", "none": "nothing"}


@dataclass(frozen=True)
class PlaneKnob:
    """One setting of ZS-PAG as the Playground offers it.

    Attributes:
        name: of the setting, as the method calls it.
        label: above the control.
        default: what it is at first.
        sentence: below the control: what turning it does.
        words: choice -> what it reads as; for a row of choices.
        values: what a slider can be, in order.
        place: where it stands: "left" beside the planes, "fold" below the fold there, "plane" in the planes themselves.
    """

    name: str
    label: str
    default: Any
    sentence: str
    words: Mapping[str, str] | None = None
    values: tuple[Any, ...] = ()
    place: str = "left"

    def takes(self, value: object) -> bool:
        """Tell whether it can be a value."""
        if isinstance(self.default, bool):
            return isinstance(value, bool)
        known = tuple(self.words) if self.words is not None else self.values
        return not isinstance(value, bool) and value in known

    def say(self, value: Any) -> str:  # noqa: ANN401 - any of its values
        """Return what a value reads as."""
        return self.words[value] if self.words is not None else f"{value:g}"


EPSILON = "epsilon"
KNOBS = (
    PlaneKnob(
        EPSILON,
        "ε · push by",
        0.12,
        "of the plane's width at most. Larger: more points get over a boundary, further from where real points lie.",
        values=tuple(round(0.01 * k, 2) for k in range(1, 41)),
        place="plane",
    ),
    PlaneKnob("attack", "Attack", "pgd", "How a point is pushed: each draws another way.", words=ATTACKS),
    PlaneKnob(
        "subspace",
        "Protect",
        "estimated",
        "*What proxies use* is the method; the other two show what it is good for.",
        words=GUARDS,
    ),
    PlaneKnob(
        "energy",
        "τ · energy that is protected",
        0.97,
        "More: the rest is safer, fewer directions are left to forget in.",
        values=(*(round(0.05 * k, 2) for k in range(6, 19)), 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999, 1.0),
    ),
    PlaneKnob(
        "label_mode",
        "Pseudo-labels",
        "posterior",
        "What forgotten points are taught to be: the fill of their dots on the right.",
        words=LABELS,
    ),
    PlaneKnob(
        "n_adv",
        "n_adv · proxies per class",
        50,
        "Fewer: the remaining classes are known from fewer places.",
        values=(1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50, 75, 100),
    ),
    PlaneKnob(
        "learning_rate",
        "Learning rate",
        0.05,
        "Smaller: more epochs to watch. The method's usual 0.1 takes two or three here.",
        values=(0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 3.0),
        place="fold",
    ),
    PlaneKnob(
        "epochs",
        "Epochs at most",
        20,
        "Passes over the forgotten points.",
        values=(1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20),
        place="fold",
    ),
    PlaneKnob(
        "stop_rule",
        "Stop by rule",
        default=True,
        sentence="Stops once nothing is recognised, undoes steps that harm the proxies. Off: all epochs are made.",
        place="fold",
    ),
)
"""In the order in which they are drawn."""

FIXED = {"batch_size": 50, "cg_steps": 10}
"""What the Playground sets besides, for its few points: two steps an epoch, a short solver."""
