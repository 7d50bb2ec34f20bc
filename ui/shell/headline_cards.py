"""Cards of headline figures: a figure, its change, what it means; estimates where a run is not graded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from ui.shell.formatting import find, glue, percent
from ui.shell.ungraded import ESTIMATE, estimate_rows, misread, why_ungraded
from ui.shell.words import ESTIMATE_NOTE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.metrics.catalogue import Measure

    Colour = Literal["green", "red", "off"]

ESTIMATES_A_ROW = 4
UP, DOWN = "+", "−"  # signs of a change; a metric card does not read a true minus as down
ARROWS: dict[str, Literal["up", "down"]] = {UP: "up", DOWN: "down"}


@dataclass(frozen=True)
class Card:
    """One headline number.

    Attributes:
        title: plain name.
        value: the number, with its unit.
        note: the reference.
        change: against before, empty where there is none.
        colour: "green" where the change is good, "red" where it is not, "off" where neither can be said.
        help: what it is and which way is good.
    """

    title: str
    value: str
    note: str
    change: str = ""
    colour: Colour = "off"
    help: str = ""


def draw_cards(cards: Sequence[Card], a_row: int, widths: Sequence[int] = ()) -> None:
    """Draw cards, so many in a row, as wide as each other unless `widths` says otherwise."""
    for first in range(0, len(cards), a_row):
        places = st.columns(list(widths) or a_row, gap="small")
        for card, place in zip(cards[first : first + a_row], places, strict=False):
            with place, st.container(border=True, height="stretch", gap="xsmall"):
                st.metric(
                    card.title,
                    card.value,
                    card.change or None,
                    delta_color=card.colour,
                    delta_arrow=ARROWS.get(card.change[:1], "off"),
                    help=card.help or None,
                )
                st.caption(card.note)


def measure_card(measure: Measure, before: Mapping[str, Any], after: Mapping[str, Any], note: str) -> Card:
    """Return the card of a percentage, before and after."""
    words = f"{measure.definition} Here: {measure.meaning}. Good: {measure.good}."
    then, now = find(before, measure.path), find(after, measure.path)
    change = change_words(then, now)
    return Card(measure.name, percent(now), glue(note), change, colour_of(change, measure), words)


def change_words(then: float | None, now: float | None) -> str:
    """Write a change in points; empty where there is none to tell."""
    if then is None or now is None:
        return ""
    change = round(now - then, 1)
    return f"{percent(change, sign=True)} points" if change else "unchanged"


def colour_of(change: str, measure: Measure) -> Colour:
    """Return the colour of a change that begins with its sign: off where neither way is good."""
    if measure.better == "near" or change[:1] not in ARROWS:
        return "off"
    return "green" if (change[0] == UP) == (measure.better == "higher") else "red"


def estimate_panel(result: Mapping[str, Any], a_row: int = ESTIMATES_A_ROW) -> None:
    """Say why a run is not graded, and draw the estimates that there are, so many in a row."""
    st.info(f"{why_ungraded(result)} {ESTIMATE_NOTE}", icon=":material/info:")
    if warning := misread(result):
        st.warning(warning, icon=":material/warning:")
    rows = estimate_rows(result)
    found = [
        Card(title, percent(now), f"{ESTIMATE} {meaning[0].upper()}{meaning[1:]}.", change_words(then, now))
        for title, then, now, meaning in rows
    ]
    draw_cards(found, max(1, min(a_row, len(rows))))
