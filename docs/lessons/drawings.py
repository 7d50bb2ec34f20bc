"""Unlearning in four pictures for the Overview, around real digits, real proxies and a real label; see digits.py."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from ui.figures.palette import FORGOTTEN, PROXY, REFERENCE, REMAINING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Digits = Mapping[str, Any]

SIDE = 24  # of a digit, in units of the drawing
ROWS = (8, 40, 72)
BAR_FLOOR, BAR_HEIGHT = 112, 90
TEXT = 'font-size="11" font-family="sans-serif"'


def _svg(*parts: str) -> str:
    """Return a drawing as the text of a file."""
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 180 130">{"".join(parts)}</svg>\n'


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


def _proxies(found: Digits) -> str:
    """Draw 3s that cross the border and become proxies of other digits, which stand behind, faint."""
    parts = []
    for y, read in zip(ROWS, found["read_as"], strict=False):
        parts += [_arrow(38, y + 12, 78, y + 12, PROXY), _say(108, y + 16, f"a {read}", PROXY)]
    return _svg(
        _border(58, dashed=True),
        *parts,
        _column(10, found["forgotten"], FORGOTTEN),
        _column(82, found["proxies"], PROXY),
        _column(146, found["remaining"], REMAINING, faint=True),
        _say(8, 118, "3s, given"),
        _say(78, 118, "proxies"),
        _say(130, 118, "not there"),
    )


def _subspace(found: Digits) -> str:
    """Draw the direction along which proxies lie, and the free one across it."""
    places = ((28, 84), (64, 63), (100, 44), (134, 24))
    return _svg(
        f'<line x1="14" y1="108" x2="170" y2="22" stroke="{PROXY}" stroke-width="30" opacity=".2"/>',
        *(_thumb(x, y, url, PROXY) for (x, y), url in zip(places, found["proxies"], strict=False)),
        _arrow(62, 26, 104, 106, REFERENCE),
        _say(112, 116, "free"),
        _say(14, 22, "protected", PROXY),
        f'<path d="M66 24 L96 42" stroke="{PROXY}" stroke-width="1" opacity=".7"/>',
    )


def _labels(found: Digits) -> str:
    """Draw what the model thinks of a 3: its own class emptied, the other guesses as they are."""
    bars = []
    most = max(found["label"])
    for k, share in enumerate(found["label"]):
        x, own = 42 + 13.6 * k, k == 3
        height = BAR_HEIGHT if own else BAR_HEIGHT * share / most * 0.8
        paint = f'fill="none" stroke="{FORGOTTEN}" stroke-dasharray="3 2"' if own else f'fill="{REMAINING}"'
        place = f'x="{x:.1f}" y="{BAR_FLOOR - height:.1f}" width="9" height="{height:.1f}"'
        bars += [f"<rect {place} {paint}/>", _say(x + 1.5, 124, str(k), FORGOTTEN if own else REFERENCE)]
    return _svg(
        _thumb(8, 12, found["forgotten"][0], FORGOTTEN),
        *bars,
        f'<path d="M78 16 L96 {BAR_FLOOR + 2}" stroke="{FORGOTTEN}" stroke-width="2.5"/>',
        f'<line x1="38" y1="{BAR_FLOOR}" x2="176" y2="{BAR_FLOOR}" stroke="{REFERENCE}"/>',
    )


def _after(found: Digits) -> str:
    """Draw the border moved past the 3s, which are now read as something else."""
    return _svg(
        _border(82, dashed=True),
        _border(14, dashed=False),
        _arrow(76, 112, 22, 112, REFERENCE),
        _column(32, found["forgotten"], FORGOTTEN),
        *(_say(60, y + 16, f"a {read}") for y, read in zip(ROWS, found["taught"], strict=False)),
        *(_thumb(112 + 32 * (place % 2), 22 + 40 * (place // 2), url, REMAINING)
          for place, url in enumerate(found["remaining"])),
        _say(112, 118, "as before"),
    )  # fmt: skip


DRAWINGS: dict[str, Callable[[Digits], str]] = {
    "1_proxies": _proxies,
    "2_subspace": _subspace,
    "3_labels": _labels,
    "4_after": _after,
}
"""Name of each file in assets/pictures -> what it shows."""
