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
    Try("Protect nothing", "x", {"subspace": "none"}),
)
