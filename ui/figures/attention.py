"""Figures of the Attention page: maps of both models on one scale, side by side, as an HTML table."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ui.figures.palette import CHANGE, HEAT
from ui.figures.pictures import data_url, from_data_url, overlay
from ui.shell.formatting import percent

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    Image = Mapping[str, Any]
    Answer = Mapping[str, Any]

WHENS = ("before", "after")
EMPTY = 0.02  # of the scale: a map that stays below looks black
FLAT = 1e-6  # of its largest value: a map that varies less is constant up to rounding
PICTURE_PIXELS = 190
COLUMN_PIXELS = 275
CHANGE_BLEND = 0.85  # the scale of changes is white in the middle: a bright picture under it would look like no change
UNCHANGED = 100.0  # percent of the evidence before
MEASURES = (  # part and key of the answer, title, what it says
    ("kept", "remaining", "Evidence kept, remaining classes", "Evidence after against before: should stay near 100 %."),
    ("kept", "forgotten", "Evidence kept, forgotten classes", "Evidence after against before: should fall."),
    ("similarity", "remaining", "Alike, remaining classes", "Mean correlation of the maps: should stay near 1."),
    ("similarity", "forgotten", "Alike, forgotten classes", "Mean correlation of the maps: should fall."),
    ("empty", "forgotten", "Empty, forgotten classes", "Images in which the model finds nothing of the class."),
    ("empty", "remaining", "Empty, remaining classes", "The same on what should be kept: should stay near 0 %."),
)


@dataclass(frozen=True)
class Side:
    """The answer of the attention task for one run.

    Attributes:
        letter: "A" or "B"; "" where there is one run only.
        answer: what the task returned.
        names: one name per class.
        forgotten: the classes that the run forgot.
        images: what one of the images is called.
    """

    letter: str
    answer: Answer
    names: Sequence[str]
    forgotten: Collection[int]
    images: str = "test image"


def scale_of(sides: Sequence[Side]) -> float:
    """Return the largest evidence in any map, before or after, of any run: the end of the common scale."""
    maps = [image[f"map_{when}"] for side in sides for image in side.answer["images"] for when in WHENS]
    return max((float(np.max(values)) for values in maps), default=0.0)


def alike(image: Image) -> float | None:
    """Return the correlation of an image's map before with the one after; None where one of them is constant."""
    before, after = (np.asarray(image[f"map_{when}"], np.float64).ravel() for when in WHENS)
    if min(np.ptp(before) - FLAT * np.abs(before).max(), np.ptp(after) - FLAT * np.abs(after).max()) <= 0:
        return None
    return float(np.corrcoef(before, after)[0, 1])


def attention_table(sides: Sequence[Side], target: str, scale: float) -> str:
    """Return a table of images: original, before, after and difference, for each run.

    Args:
        sides: one run or two; the images of the second are found by their place in the test split.
        target: "own" or "predicted", what the maps explain.
        scale: end of the common scale.
    """
    heads = ["<th>Image</th>"]
    for side in sides:
        mark = f"{side.letter} · " if side.letter else ""
        heads += [f"<th>{mark}{word}</th>" for word in ("before", "after", "difference")]
    others = [{image["index"]: image for image in side.answer["images"]} for side in sides]
    rows = []
    for first in sides[0].answer["images"]:
        cells = [_original(first, sides)]
        for side, images in zip(sides, others, strict=True):
            found = images.get(first["index"])
            cells += _maps(found, side, target, scale) if found else ["<td></td>"] * 3
        rows.append(f"<tr>{''.join(cells)}</tr>")
    body = "".join(rows)
    widest = f"max-width:{COLUMN_PIXELS * len(heads)}px"
    top = f"<thead><tr>{''.join(heads)}</tr></thead>"
    return f'<table class="zs-attention" style="{widest}">{top}<tbody>{body}</tbody></table>'


def scale_bars(scale: float) -> str:
    """Return the two scales with their ends: evidence for a class, and its change."""
    return "".join(
        f'<div class="zs-scale"><span>{low}</span><i style="background:linear-gradient(90deg,{",".join(colours)})"></i>'
        f"<span>{high}</span><span>{words}</span></div>"
        for colours, low, high, words in (
            (HEAT, "0", f"{scale:.3g}", "evidence for the class, unscaled, the same for all pictures"),
            (CHANGE, f"−{scale:.3g}", f"+{scale:.3g}", "evidence lost or gained"),
        )
    )


def similarity_table(sides: Sequence[Side]) -> str:
    """Return how alike the maps are on average, as a Markdown table with a sentence for every figure."""
    heads = " | ".join(f"Run {side.letter}" if side.letter else "Figure" for side in sides)
    lines = [f"| Before against after | {heads} | What it says |", "|:--|" + "--:|" * len(sides) + ":--|"]
    for part, key, title, words in MEASURES:
        figures = [_figure(side.answer, part, key) for side in sides]
        if any(figure is not None for figure in figures):
            lines.append(f"| {title} | {' | '.join(figure or '–' for figure in figures)} | {words} |")
    return "\n".join(lines)


def probability(value: float) -> str:
    """Write a probability in percent; never 100 % for what is less."""
    if 0.9995 <= value < 1:
        return "> 99.9 %"
    return "< 0.1 %" if 0 < value < 0.0005 else percent(100 * value)


def _figure(answer: Answer, part: str, key: str) -> str | None:
    """Write one figure of similarity; None where it is unknown."""
    value = (answer.get(part) or {}).get(key)
    if value is None:
        return None
    return f"{value:.2f}".replace("-", "−") if part == "similarity" else percent(value)


def _original(image: Image, sides: Sequence[Side]) -> str:
    """Return the cell with the image itself."""
    label = image["label"]
    name = html.escape(sides[0].names[label])
    words = f"{sides[0].images.capitalize()} {image['index']} of class {name}"
    picture = data_url(from_data_url(image["picture"]), PICTURE_PIXELS)
    by = [side.letter for side in sides if label in side.forgotten]
    kind = "forgotten" if by else "remaining"
    caption = kind if len(by) in {0, len(sides)} else f"{kind} in run {by[0]}"
    about = f'<b class="zs-{kind}">{name}</b> · {caption}<br><span>{sides[0].images} {image["index"]}</span>'
    return f'<td><img src="{picture}" alt="{words}"><div>{about}</div></td>'


def _maps(image: Image, side: Side, target: str, scale: float) -> list[str]:
    """Return the cells of one run: the map before, the one after, their difference."""
    picture = from_data_url(image["picture"])
    before, after = (np.asarray(image[f"map_{when}"], np.float32) for when in WHENS)
    cells = [
        _cell(overlay(picture, values, HEAT, 0, scale), *_say(image, side, target, when, values, scale))
        for when, values in zip(WHENS, (before, after), strict=True)
    ]
    likeness = alike(image)
    words = "one map is flat: no likeness" if likeness is None else f"likeness {likeness:.2f}".replace("-", "−")
    kept = f"<b>evidence {percent(100 * after.sum() / before.sum())} of before</b><br>" if before.sum() > 0 else ""
    change = overlay(picture, after - before, CHANGE, -scale, scale, CHANGE_BLEND)
    return [*cells, _cell(change, f"Change of the attention on {side.images} {image['index']}", kept + words)]


def grown_note(sides: Sequence[Side]) -> str:
    """Say what it means where the maps of forgotten classes hold more evidence than before; empty where none do."""
    kept = [(side.answer.get("kept") or {}).get("forgotten") for side in sides]
    if all(share is None or share <= UNCHANGED for share in kept):
        return ""
    return (
        "The maps of the forgotten classes hold more evidence than before, though the class is not answered any more. "
        "A map shows what speaks for a class and leaves out what speaks against it, and this run has added both. So "
        "accuracy and probe tell here what was forgotten, the map does not."
    )


def _say(
    image: Image, side: Side, target: str, when: str, values: NDArray[np.float32], scale: float
) -> tuple[str, str]:
    """Return what a map shows, for the ear and for the eye."""
    label, own = int(image["label"]), float(image["own"][when])
    read, surest = int(image["predicted"][when][0]), float(image["predicted"][when][1])
    mine = f"own label {html.escape(side.names[label])}: {html.escape(probability(own))}"
    theirs = f"reads {html.escape(side.names[read])}: {html.escape(probability(surest))}"
    first, second = (mine, theirs) if target == "own" else (theirs, mine)
    empty = "<br><i>nearly empty</i>" if float(values.max()) < EMPTY * scale or scale == 0 else ""
    explained = side.names[label if target == "own" else read]
    most = f"{float(values.max()):.3g}"
    alt = f"Attention {when} on {side.images} {image['index']} for class {html.escape(explained)}, most evidence {most}"
    return alt, f"<b>{first}</b><br><span>{second}</span>{empty}"


def _cell(picture: str, alt: str, words: str) -> str:
    """Return one cell of the table."""
    return f'<td><img src="{picture}" alt="{alt}"><div>{words}</div></td>'
