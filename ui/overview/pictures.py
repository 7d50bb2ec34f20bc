"""Unlearning in four pictures, which docs/lessons/digits.py drew around real digits."""

from __future__ import annotations

import html
from urllib.parse import quote

from ui.figures.palette import FORGOTTEN, PROXY, REMAINING
from zspag_core.shipped import ASSETS

STEPS = (
    ("1_proxies", "1 · Proxies", "The 3s are nudged across the border: stand-ins for digits that are not there.",
     "Three 3s left of a dashed border; arrows push copies across it, and the model reads them as other digits."),
    ("2_subspace", "2 · Subspace", "Proxies show the directions, layer by layer, that the other digits need.",
     "Proxies lie along one direction, marked protected; the direction across it is free."),
    ("3_labels", "3 · Labels", "Each 3 is told what to look like instead: the model's own other guesses.",
     "A 3, and a bar for every digit: that of the 3 is emptied, the other guesses become the new label."),
    ("4_after", "4 · Unlearn", "Training on these labels, in the free directions only: 3s are lost, the rest stays.",
     "The solid border has moved from the dashed one past the 3s: they are read as another digit, the rest stays."),
)  # fmt: skip
"""File in assets/pictures, title, sentence, and what it shows for those who cannot see it."""


def four_pictures() -> str:
    """Return the four steps as drawings with a sentence each, as HTML for the light and the dark theme."""
    key = (
        f'<span style="color:{FORGOTTEN}">□</span> forget samples &nbsp; '
        f'<span style="color:{REMAINING}">□</span> remaining images (never seen) &nbsp; '
        f'<span style="color:{PROXY}">□</span> proxies &nbsp; ┄ border of the original &nbsp; ─ after unlearning'
    )
    return f'<div class="zs-steps">{"".join(_card(*step) for step in STEPS)}</div><div class="zs-steps-key">{key}</div>'


def _card(file: str, title: str, text: str, alt: str) -> str:
    """Return one picture with its words; as an image, for Streamlit takes SVG elements out of HTML."""
    source = quote((ASSETS / "pictures" / f"{file}.svg").read_text(encoding="utf-8"))
    words = f"<figcaption><b>{html.escape(title)}</b><br/>{html.escape(text)}</figcaption>"
    return f'<figure><img alt="{html.escape(alt)}" src="data:image/svg+xml,{source}"/>{words}</figure>'
