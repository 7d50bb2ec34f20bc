"""Colours that mean the same everywhere; those of marks keep 3:1 contrast on the light and the dark background."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

REMAINING = "#6688AA"
FORGOTTEN = "#D9640F"
REFERENCE = "#8C8C8C"
PROXY = "#7B61C4"

# Classes, in order: chosen one by one as far as possible from all before (CIELAB distance, also as
# seen with protan, deutan and tritan vision), among colours with 3:1 contrast on both backgrounds, away from orange.
CLASSES = (
    "#0072B2",
    "#009E73",
    "#C06A9B",
    "#7B61C4",
    "#875A2D",
    "#2D96FF",
    "#F04B69",
    "#69694B",
    "#A587C3",
    "#B42D87",
    "#69960F",
    "#875A69",
    "#7887D2",
    "#87782D",
    "#5A6996",
    "#B48796",
    "#4B78E1",
    "#C31E4B",
    "#0096A5",
    "#699678",
)
COLOURED = 20
"""Up to so many classes each have a colour of their own."""
HEAT = ("#000004", "#1B0C41", "#4A0C6B", "#781C6D", "#A52C60", "#CF4446", "#ED6925", "#FB9A06", "#F7D03C", "#FCFFA4")
"""Evidence in an attention map, from none to most (Inferno of N. Smith and S. van der Walt)."""
CHANGE = ("#762A83", "#AF8DC3", "#E7D4E8", "#F7F7F7", "#D9F0D3", "#7FBF7B", "#1B7837")
"""Evidence lost, unchanged, gained (PRGn of C. Brewer)."""


def class_colours(count: int, forgotten: Collection[int], lit: Collection[int] = ()) -> list[str]:
    """Return one colour a class: orange for the forgotten, one of its own for the others, the same in every run.

    Args:
        count: number of classes.
        forgotten: the classes to forget.
        lit: with more than 20 classes, the remaining ones that get a colour; the rest is blue-grey.
    """
    places = range(count) if count <= COLOURED else sorted(set(lit) - set(forgotten))
    own = {k: CLASSES[place % len(CLASSES)] for place, k in enumerate(places)}
    return [FORGOTTEN if k in forgotten else own.get(k, REMAINING) for k in range(count)]
