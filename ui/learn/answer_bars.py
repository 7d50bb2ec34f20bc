"""What a class predicts, as bars: plain HTML, which grows with the type and is cheap to draw every two seconds."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from ui.figures.palette import REMAINING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def answers_html(options: Sequence[str], counts: Mapping[int, int]) -> str:
    """Return one bar an answer.

    Args:
        options: the answers, in their order.
        counts: place of an answer -> how many gave it.
    """
    most = max(1, *(counts.get(place, 0) for place in range(len(options))))
    rows = [_row(option, counts.get(place, 0), most) for place, option in enumerate(options)]
    said = html.escape(describe_answers(options, counts), quote=True)
    return f'<div class="zs-answers" role="img" aria-label="{said}">{"".join(rows)}</div>'


def describe_answers(options: Sequence[str], counts: Mapping[int, int]) -> str:
    """Return the same in words."""
    counts_text = [f"{counts.get(place, 0)} say {option}" for place, option in enumerate(options)]
    return f"Answers of the class: {'; '.join(counts_text)}."


def _row(option: str, count: int, most: int) -> str:
    width = f"{100 * count / most:.0f}%"
    bar = f'<i style="width:{width};background:{REMAINING}"></i>'
    return f"<span>{html.escape(option)}</span><span><b>{bar}</b>{count}</span>"
