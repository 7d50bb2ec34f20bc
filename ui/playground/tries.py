"""What a visitor may try first: a title, what to look at, and the knobs that differ from the usual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Try:
    """One thing to try.

    Attributes:
        title: on its button.
        sentence: what to look at.
        changes: parts of the page's state, see :mod:`ui.playground.state`.
    """

    title: str
    sentence: str
    changes: Mapping[str, Any]


TRIES = (
    Try(
        "The method",
        "Play it: class C gives way while the others keep their places. Then look how little of the gradient was kept.",
        {},
    ),
    Try(
        "No protection, no brake",
        "Long steps, all epochs, nothing protected: the other classes are lost, too.",
        {"subspace": "none", "stop_rule": False, "learning_rate": 0.2},
    ),
    Try(
        "The same, protected",
        "The same long steps without their protected part: the others stay.",
        {"stop_rule": False, "learning_rate": 0.2},
    ),
    Try(
        "Pushed less far",
        "With a small ε the innermost and the outermost ring get no proxies, so next to nothing stands for them.",
        {"epsilon": 0.04},
    ),
    Try(
        "Everything protected",
        "τ = 1 leaves hardly a direction free: nothing is forgotten.",
        {"energy": 1.0},
    ),
    Try(
        "Where it fails",
        "On the board every class lies in places that do not touch. Proxies know few of them, and the rest suffers "
        "more with the projection than without.",
        {"shape": "grid", "forget": [0]},
    ),
)
"""In the order in which they are best tried."""
