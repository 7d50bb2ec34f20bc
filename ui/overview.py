"""What the Overview shows: unlearning in four pictures drawn by code, the zero-shot fence, the demo run."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING
from urllib.parse import quote

from ui.checkpoints import shipped_checkpoints
from ui.choice import choice_of_own, use
from ui.jobs import job_store, show_run
from ui.palette import FORGOTTEN, PROXY, REFERENCE, REMAINING

if TYPE_CHECKING:
    from pathlib import Path

    from ui.choice import Choice
    from zspag_core.jobs import Job

DEMO_CLASS = "3"
SAW = (
    "the original model",
    "the training images of the classes that must go: the **forget samples**",
    "**proxies**, which it makes from those two",
)
GRADING = (
    "every image of the remaining classes",
    "all test images: accuracy, per class",
    "membership inference, probe, relearning: what an attacker could still find",
)

LEFT = ((34, 34), (52, 24), (28, 56), (48, 50))
RIGHT = ((132, 96), (150, 84), (120, 114), (146, 112))
MIDDLE = ((108, 40), (126, 30), (112, 60), (134, 50))


def demo_choice() -> Choice | None:
    """Return the digits model that comes with the app, None where it is not there."""
    found = next((path for path in shipped_checkpoints() if path.stem.startswith("digits")), None)
    return _demo_of(found) if found is not None else None


def _demo_of(path: Path) -> Choice | None:
    """Return the choice of a checkpoint that knows the class of the demo."""
    choice = choice_of_own(path)
    return choice if DEMO_CLASS in choice.class_names else None


def submit_own(
    choice: Choice, forget: list[int], method: str = "zspag", settings: dict[str, object] | None = None
) -> Job:
    """Queue a run as the Forget page would with untouched controls but for `settings`; look at it and its model."""
    config = {
        "data": choice.data,
        "checkpoint": str(choice.checkpoint),
        "forget": forget,
        "class_names": [choice.class_names[label] for label in forget],
        "method": method,
        "settings": dict(settings or {}),
        "seed": 0,
        "device": "auto",
    }
    job = job_store().submit("unlearn", config, device="auto")
    use(choice)
    show_run(job.id)
    return job


def start_demo(choice: Choice) -> Job:
    """Queue the run that forgets the threes."""
    return submit_own(choice, [choice.class_names.index(DEMO_CLASS)])


def four_pictures() -> str:
    """Return the four steps as drawings with a sentence each, as HTML for the light and the dark theme."""
    steps = (
        (
            "1 · Proxies",
            "Forget samples are nudged across the border: stand-ins for data that is not there.",
            _proxies(),
        ),
        ("2 · Subspace", "Proxies show the directions, layer by layer, that the other classes need.", _subspace()),
        ("3 · Labels", "Each forget sample is told what to look like instead: the model's other guesses.", _labels()),
        (
            "4 · Unlearn",
            "Training on these labels, in the free directions only: the border moves, the rest stays.",
            _unlearn(),
        ),
    )
    cards = "".join(
        f'<figure style="margin:0;flex:1 1 190px;min-width:170px">{picture}<figcaption style="font-size:.85rem;'
        f'line-height:1.3;margin-top:.3rem"><b>{html.escape(title)}</b><br/>{html.escape(text)}</figcaption></figure>'
        for title, text, picture in steps
    )
    key = (
        f'<span style="color:{FORGOTTEN}">●</span> forget samples &nbsp; '
        f'<span style="color:{REMAINING}">●</span> remaining images (never seen) &nbsp; '
        f'<span style="color:{PROXY}">○</span> proxies &nbsp; ┄ border of the original &nbsp; ─ after unlearning'
    )
    return (
        f'<div style="display:flex;flex-wrap:wrap;gap:1.2rem">{cards}</div>'
        f'<div style="font-size:.8rem;opacity:.8;margin-top:.5rem">{key}</div>'
    )


def _svg(alt: str, *parts: str) -> str:
    """Return a drawing as an image: Streamlit takes SVG elements out of HTML."""
    source = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 180 130">{"".join(parts)}</svg>'
    return (
        f'<img alt="{html.escape(alt)}" src="data:image/svg+xml,{quote(source)}" style="width:100%;display:block;'
        'border:1px solid rgba(128,128,128,.35);border-radius:6px"/>'
    )


def _dots(points: tuple[tuple[int, int], ...], colour: str, *, hollow: bool = False, faint: bool = False) -> str:
    """Draw points, filled for images and hollow for proxies."""
    paint = f'fill="none" stroke="{colour}" stroke-width="2"' if hollow else f'fill="{colour}"'
    strength = ' opacity=".45"' if faint else ""
    return "".join(f'<circle cx="{x}" cy="{y}" r="5" {paint}{strength}/>' for x, y in points)


def _border(shift: int = 0, *, dashed: bool) -> str:
    """Draw the border between the classes, dashed for the original model."""
    dash = ' stroke-dasharray="5 4" opacity=".7"' if dashed else ""
    return (
        f'<path d="M{96 - shift} 8 C{82 - shift} 52 {92 - shift} 78 {62 - shift} 122" fill="none" '
        f'stroke="{REFERENCE}" stroke-width="2"{dash}/>'
    )


def _arrow(x1: int, y1: int, x2: int, y2: int, colour: str) -> str:
    """Draw an arrow from one point to another, its head a short chevron."""
    length = max(1.0, ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5)
    ux, uy = (x2 - x1) / length, (y2 - y1) / length
    back = [(x2 - 7 * ux - side * 4 * uy, y2 - 7 * uy + side * 4 * ux) for side in (1, -1)]
    head = f"M{back[0][0]:.1f} {back[0][1]:.1f} L{x2} {y2} L{back[1][0]:.1f} {back[1][1]:.1f}"
    return f'<path d="M{x1} {y1} L{x2} {y2} {head}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _proxies() -> str:
    """Draw forget samples that cross the border and become proxies."""
    moves = "".join(
        _arrow(x + 7, y + 1, to_x - 7, to_y - 1, PROXY)
        for (x, y), (to_x, to_y) in zip(LEFT[1:4:2], MIDDLE[::2], strict=True)
    )
    return _svg(
        "Orange forget samples left of a dashed border; arrows push copies across it: hollow proxies.",
        _border(-6, dashed=True), _dots(LEFT, FORGOTTEN), moves, _dots(MIDDLE, PROXY, hollow=True),
        _dots(RIGHT, REMAINING, faint=True),
    )  # fmt: skip


def _subspace() -> str:
    """Draw the direction that proxies use, and the free one across it."""
    cloud = ((60, 84), (78, 78), (98, 64), (116, 60), (136, 46))
    words = (
        '<text x="112" y="38" font-size="11" font-family="sans-serif" fill="#8C8C8C">protected</text>'
        '<text x="88" y="118" font-size="11" font-family="sans-serif" fill="#8C8C8C">free</text>'
    )
    return _svg(
        "Proxies lie along one direction, marked protected; the direction across it is free.",
        f'<line x1="30" y1="97" x2="166" y2="31" stroke="{PROXY}" stroke-width="14" opacity=".2"/>',
        _dots(cloud, PROXY, hollow=True), _arrow(66, 66, 86, 108, REFERENCE), words,
    )  # fmt: skip


def _labels() -> str:
    """Draw the model's guesses for a forget sample: its own class struck out, the others as they were."""
    bars = ((22, 90, FORGOTTEN), (54, 30, REMAINING), (86, 52, REMAINING), (118, 16, REMAINING), (150, 24, REMAINING))
    drawn = "".join(
        f'<rect x="{x - 9}" y="{112 - height}" width="18" height="{height}" '
        + (
            f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="4 3"/>'
            if height == 90
            else f'fill="{colour}"/>'
        )
        for x, height, colour in bars
    )
    return _svg(
        "Bars, one per class: the forgotten class is emptied, the other guesses become the new label.",
        drawn, f'<path d="M8 18 L36 116" stroke="{FORGOTTEN}" stroke-width="3"/>',
        '<line x1="8" y1="112" x2="172" y2="112" stroke="#8C8C8C"/>',
    )  # fmt: skip


def _unlearn() -> str:
    """Draw the border moved over the forget samples, which now lie among the others."""
    return _svg(
        "The solid border has moved away from the dashed one: forget samples lie among the remaining classes.",
        _border(-6, dashed=True), _border(52, dashed=False), _dots(LEFT[1:], FORGOTTEN), _dots(RIGHT, REMAINING),
        _arrow(74, 100, 36, 92, REFERENCE),
    )  # fmt: skip
