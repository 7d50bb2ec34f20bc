"""How the rows of a comparison are marked, the same in its table and in every figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ui.figures.palette import CLASSES, REFERENCE
from zspag_core.methods.catalogue import references
from zspag_core.reproduce.comparison import BLIND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.reproduce.comparison import Row

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon", "triangle-down", "pentagon", "x")

ORIGINAL, MASK, RETRAIN = "original", "mask", "retrain"
GLYPHS = ("●", "■", "◆", "▲", "✚", "★", "⬢", "▼", "⬟", "✖")
HOLLOW = ("○", "□", "◇", "△", "✛", "☆", "⬡", "▽", "⬠", "✕")
"""The symbols of the marks as letters, in the order of SYMBOLS: full ones, and those of methods that need more data."""
REFERENCE_GLYPHS = {ORIGINAL: "◌", MASK: "┊", RETRAIN: "▒"}
APART = " · "
"""Stands between a row's label and its kind where both are written."""


@dataclass(frozen=True)
class Marker:
    """How a row is marked, in the table and in every figure.

    Attributes:
        colour: of its mark.
        symbol: plotly's name of its mark, hollow where the method needs remaining data.
        glyph: the mark as a letter.
    """

    colour: str
    symbol: str
    glyph: str


def role_of(row: Row) -> str:
    """Return which reference a row is: "original", "mask" or "retrain"; empty for a method that is compared."""
    if row.method is None:
        return ORIGINAL
    return row.method if row.method in references() else ""


def looks(rows: Sequence[Row]) -> dict[str, Marker]:
    """Return the look of every row by its key: references are grey, tuned rows have a dot, else like their method's."""
    found: dict[str, Marker] = {}
    families: dict[tuple[str | None, str], tuple[int, int]] = {}
    given = {False: 0, True: 0}  # full marks and hollow ones, each counted apart: no two methods share one
    for row in rows:
        role = role_of(row)
        if role:
            found[row.key] = Marker(REFERENCE, "circle-open", REFERENCE_GLYPHS[role])
            continue
        family = (row.method, row.label.removesuffix(f"{APART}{row.kind}"))
        if family not in families:
            families[family] = len(families), given[row.needs_retain]
            given[row.needs_retain] += 1
        place, alike = families[family]
        shape, round_ = alike % len(SYMBOLS), place // len(CLASSES)
        symbol = (
            SYMBOLS[shape] + ("-open" if row.needs_retain else "") + ("-dot" if row.kind in {"tuned", BLIND} else "")
        )
        colour = CLASSES[(place + round_) % len(CLASSES)]
        found[row.key] = Marker(colour, symbol, (HOLLOW if row.needs_retain else GLYPHS)[shape])
    return found
