"""Unlearning in four pictures, drawn by code around real digits, real proxies and a real label."""

from __future__ import annotations

import html
import json
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ui.figures.palette import FORGOTTEN, PROXY, REFERENCE, REMAINING
from zspag_core.shipped import ASSETS

if TYPE_CHECKING:
    from collections.abc import Sequence

DIGITS = ASSETS / "pictures" / "digits.json"
SIDE = 24  # of a digit, in units of the drawing
ROWS = (8, 40, 72)
BAR_FLOOR, BAR_HEIGHT = 112, 90
TEXT = 'font-size="11" font-family="sans-serif"'


@cache
def digits() -> dict[str, Any]:
    """Return the pictures that docs/lessons/digits.py made: threes, proxies, other digits, and a label."""
    found: dict[str, Any] = json.loads(DIGITS.read_text(encoding="utf-8"))
    return found


def four_pictures() -> str:
    """Return the four steps as drawings with a sentence each, as HTML for the light and the dark theme."""
    steps = (
        ("1 · Proxies", "The 3s are nudged across the border: stand-ins for digits that are not there.", _proxies()),
        ("2 · Subspace", "Proxies show the directions, layer by layer, that the other digits need.", _subspace()),
        ("3 · Labels", "Each 3 is told what to look like instead: the model's own other guesses.", _labels()),
        (
            "4 · Unlearn",
            "Training on these labels, in the free directions only: 3s are lost, the rest stays.",
            _after(),
        ),
    )
    cards = "".join(
        f'<figure style="margin:0;flex:1 1 190px;min-width:170px">{picture}<figcaption style="font-size:1rem;'
        f'line-height:1.3;margin-top:.3rem"><b>{html.escape(title)}</b><br/>{html.escape(text)}</figcaption></figure>'
        for title, text, picture in steps
    )
    key = (
        f'<span style="color:{FORGOTTEN}">□</span> forget samples &nbsp; '
        f'<span style="color:{REMAINING}">□</span> remaining images (never seen) &nbsp; '
        f'<span style="color:{PROXY}">□</span> proxies &nbsp; ┄ border of the original &nbsp; ─ after unlearning'
    )
    return (
        f'<div style="display:flex;flex-wrap:wrap;gap:1.2rem">{cards}</div>'
        f'<div style="font-size:.95rem;opacity:.85;margin-top:.6rem">{key}</div>'
    )


def _svg(alt: str, *parts: str) -> str:
    """Return a drawing as an image: Streamlit takes SVG elements out of HTML."""
    source = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 180 130">{"".join(parts)}</svg>'
    return (
        f'<img alt="{html.escape(alt)}" src="data:image/svg+xml,{quote(source)}" style="width:100%;display:block;'
        'border:1px solid rgba(128,128,128,.35);border-radius:6px"/>'
    )


def _thumb(x: float, y: float, url: str, colour: str, *, faint: bool = False) -> str:
    """Draw a digit with a frame in the colour of its kind."""
    strength = ' opacity=".4"' if faint else ""
    place = f'x="{x}" y="{y}" width="{SIDE}" height="{SIDE}"'
    frame = f'<rect {place} rx="2" fill="none" stroke="{colour}" stroke-width="2"/>'
    return f'<g{strength}><image {place} href="{url}"/>{frame}</g>'


def _column(x: float, urls: Sequence[str], colour: str, *, faint: bool = False) -> str:
    """Draw three digits below each other."""
    return "".join(_thumb(x, y, url, colour, faint=faint) for y, url in zip(ROWS, urls, strict=False))


def _say(x: float, y: float, words: str, colour: str = REFERENCE) -> str:
    """Write a few letters."""
    return f'<text x="{x}" y="{y}" {TEXT} fill="{colour}">{html.escape(words)}</text>'


def _border(x: int, *, dashed: bool) -> str:
    """Draw the border between 3s and other digits, dashed for the original model."""
    dash = ' stroke-dasharray="5 4" opacity=".8"' if dashed else ""
    return (
        f'<path d="M{x + 5} 4 C{x - 7} 42 {x + 9} 78 {x - 4} 126" fill="none" stroke="{REFERENCE}" '
        f'stroke-width="2"{dash}/>'
    )


def _arrow(x1: int, y1: int, x2: int, y2: int, colour: str) -> str:
    """Draw an arrow from one point to another, its head a short chevron."""
    length = max(1.0, ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5)
    ux, uy = (x2 - x1) / length, (y2 - y1) / length
    back = [(x2 - 7 * ux - side * 4 * uy, y2 - 7 * uy + side * 4 * ux) for side in (1, -1)]
    head = f"M{back[0][0]:.1f} {back[0][1]:.1f} L{x2} {y2} L{back[1][0]:.1f} {back[1][1]:.1f}"
    return f'<path d="M{x1} {y1} L{x2} {y2} {head}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _proxies() -> str:
    """Draw 3s that cross the border and become proxies of other digits, which stand behind, faint."""
    found, parts = digits(), []
    for y, read in zip(ROWS, found["read_as"], strict=False):
        parts += [_arrow(38, y + 12, 78, y + 12, PROXY), _say(108, y + 16, f"a {read}", PROXY)]
    return _svg(
        "Three 3s left of a dashed border; arrows push copies across it, and the model reads them as other digits.",
        _border(58, dashed=True),
        *parts,
        _column(10, found["forgotten"], FORGOTTEN),
        _column(82, found["proxies"], PROXY),
        _column(146, found["remaining"], REMAINING, faint=True),
        _say(8, 118, "3s, given"),
        _say(78, 118, "proxies"),
        _say(130, 118, "not there"),
    )


def _subspace() -> str:
    """Draw the direction along which proxies lie, and the free one across it."""
    places = ((28, 84), (64, 63), (100, 44), (134, 24))
    return _svg(
        "Proxies lie along one direction, marked protected; the direction across it is free.",
        f'<line x1="14" y1="108" x2="170" y2="22" stroke="{PROXY}" stroke-width="30" opacity=".2"/>',
        *(_thumb(x, y, url, PROXY) for (x, y), url in zip(places, digits()["proxies"], strict=False)),
        _arrow(62, 26, 104, 106, REFERENCE),
        _say(112, 116, "free"),
        _say(14, 22, "protected", PROXY),
        f'<path d="M66 24 L96 42" stroke="{PROXY}" stroke-width="1" opacity=".7"/>',
    )


def _labels() -> str:
    """Draw what the model thinks of a 3: its own class emptied, the other guesses as they are."""
    found, bars = digits(), []
    most = max(found["label"])
    for k, share in enumerate(found["label"]):
        x, own = 42 + 13.6 * k, k == 3
        height = BAR_HEIGHT if own else BAR_HEIGHT * share / most * 0.8
        paint = f'fill="none" stroke="{FORGOTTEN}" stroke-dasharray="3 2"' if own else f'fill="{REMAINING}"'
        place = f'x="{x:.1f}" y="{BAR_FLOOR - height:.1f}" width="9" height="{height:.1f}"'
        bars += [f"<rect {place} {paint}/>", _say(x + 1.5, 124, str(k), FORGOTTEN if own else REFERENCE)]
    return _svg(
        "A 3, and a bar for every digit: that of the 3 is emptied, the other guesses become the new label.",
        _thumb(8, 12, found["forgotten"][0], FORGOTTEN),
        *bars,
        f'<path d="M78 16 L96 {BAR_FLOOR + 2}" stroke="{FORGOTTEN}" stroke-width="2.5"/>',
        f'<line x1="38" y1="{BAR_FLOOR}" x2="176" y2="{BAR_FLOOR}" stroke="{REFERENCE}"/>',
    )


def _after() -> str:
    """Draw the border moved past the 3s, which are now read as something else."""
    found = digits()
    return _svg(
        "The solid border has moved from the dashed one past the 3s: they are read as another digit, the rest stays.",
        _border(82, dashed=True),
        _border(14, dashed=False),
        _arrow(76, 112, 22, 112, REFERENCE),
        _column(32, found["forgotten"], FORGOTTEN),
        *(_say(60, y + 16, f"a {read}") for y, read in zip(ROWS, found["taught"], strict=False)),
        *(_thumb(112 + 32 * (place % 2), 22 + 40 * (place // 2), url, REMAINING)
          for place, url in enumerate(found["remaining"])),
        _say(112, 118, "as before"),
    )  # fmt: skip
