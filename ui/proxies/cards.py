"""Cards for single images: the triptych of a proxy with its logits, a real image with what is read in it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from ui.figures.palette import FORGOTTEN, REMAINING
from ui.figures.pictures import data_url, noise_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

BARS = 5
PICTURE_PIXELS = 80


def cards(contents: Iterable[str], size: str = "large") -> str:
    """Return cards side by side, as many as fit, as HTML.

    Args:
        contents: the inside of each card, as HTML.
        size: "large" or "small", the least width of a card.
    """
    inside = "".join(f'<figure class="zs-card">{content}</figure>' for content in contents)
    return f'<div class="zs-cards zs-{size}">{inside}</div>'


def triptychs(
    proxies: Mapping[str, Array],
    rows: Sequence[int],
    sources: Sequence[int],
    names: Sequence[str],
    forgotten: Collection[int],
) -> list[str]:
    """Return a card for each of some proxies: original, amplified noise, proxy, and the logits before and after.

    Args:
        proxies: the arrays of a run's file of proxies.
        rows: the proxies' rows in it.
        sources: the classes they were made from, -1 where unknown.
        names: one name per class.
        forgotten: the forgotten classes.
    """
    if not len(rows):
        return []
    rows = list(rows)
    images, originals = proxies["images"][rows], proxies["originals"][rows]
    noise, factor = noise_of(images, originals)
    before = proxies["logits_before"][rows]
    after = proxies["logits_after"][rows] if "logits_after" in proxies else None
    ends = _ends(before, after)
    found = []
    for place, row in enumerate(rows):
        label, source = int(proxies["labels"][row]), int(sources[place])
        origin = names[source] if source >= 0 else "forget sample"
        pictures = (
            (originals[place], f"original, {origin}"),
            (noise[place], f"noise × {factor:.3g}"),
            (images[place], f"proxy, {names[label]}"),
        )
        later = None if after is None else after[place]
        sentence = _sentence(names, label, origin, _sure_of(before[place], label), later)
        bars = logit_bars(before[place], later, names, forgotten, ends, always=(source, label))
        found.append(f"{_row(pictures)}<figcaption>{sentence}</figcaption>{bars}")
    return found


def portrait(image: Array, title: str, *lines: str) -> str:
    """Return the inside of a card for one real image.

    Args:
        image: (C, H, W) uint8.
        title: what it is.
        lines: what is read in it.
    """
    text = "".join(f"<div>{html.escape(line)}</div>" for line in lines)
    caption = f"<figcaption><b>{html.escape(title)}</b>{text}</figcaption>"
    return f'<div class="zs-row">{_picture(image, title)}{caption}</div>'


def logit_bars(
    before: Array,
    after: Array | None,
    names: Sequence[str],
    forgotten: Collection[int],
    ends: tuple[float, float],
    always: Collection[int] = (),
) -> str:
    """Return the largest logits of one image as bars: before in a dashed outline, after filled.

    Args:
        before: (K,) logits of the original model.
        after: (K,) logits of the unlearned model; None where nobody asked it.
        names: one name per class.
        forgotten: the forgotten classes.
        ends: least and largest value of the axis, which holds 0.
        always: classes that are shown whatever their logits.
    """
    shown = top_classes(before, after, always)
    rows = "".join(
        _bar(names[k], float(before[k]), None if after is None else float(after[k]), ends, orange=k in forgotten)
        for k in shown
    )
    words = "Logits · dashed: before" + ("" if after is None else " · solid: after")
    return f'<div class="zs-small">{words}</div>{rows}'


def top_classes(before: Array, after: Array | None, always: Collection[int] = ()) -> list[int]:
    """Return the classes with the largest logits before or after, among them some in any case, largest before first."""
    best = before if after is None else np.maximum(before, after)
    order = [k for k in always if 0 <= k < len(before)]
    order += [k for k in np.argsort(-best).tolist() if k not in order]
    return sorted(order[: max(BARS, len(always))], key=lambda k: -float(before[k]))


def _ends(before: Array, after: Array | None) -> tuple[float, float]:
    """Return the ends of the axis that all bars share."""
    parts = [before] if after is None else [before, after]
    return min(0.0, *(float(part.min()) for part in parts)), max(1e-6, *(float(part.max()) for part in parts))


def _bar(name: str, before: float, after: float | None, ends: tuple[float, float], *, orange: bool) -> str:
    """Return one class's line: name, bars, numbers."""
    low, high = ends

    def share(value: float) -> float:
        return 100 * (value - low) / (high - low)

    def box(value: float, kind: str) -> str:
        left, right = sorted((share(0), share(value)))
        return f'<i class="zs-{kind}" style="left:{left:.1f}%;width:{right - left:.1f}%"></i>'

    colour = FORGOTTEN if orange else REMAINING
    bars = ("" if after is None else box(after, "after")) + box(before, "before")
    zero = f'<i class="zs-zero" style="left:{share(0):.1f}%"></i>'
    numbers = _signed(before) + ("" if after is None else f" → {_signed(after)}")
    title = html.escape(name)
    return (
        f'<div class="zs-bar"><span title="{title}">{title}</span>'
        f'<div class="zs-track" style="color:{colour}">{bars}{zero}</div><span>{numbers}</span></div>'
    )


def _signed(value: float) -> str:
    """Write a logit as a person reads it."""
    return f"{value + 0.0:.1f}".replace("-", "−")


def _sure_of(logits: Array, label: int) -> float:
    """Return the softmax probability of a class; not the file's "confidence", which is that of the class aimed at."""
    weights = np.exp(logits - logits.max())
    return float(weights[label] / weights.sum())


def _sentence(names: Sequence[str], label: int, origin: str, sure: float, after: Array | None) -> str:
    """Say what the models read in a proxy."""
    now = "" if after is None else f" · after: read as {html.escape(names[int(after.argmax())])}"
    return f"{html.escape(origin)} → <b>{html.escape(names[label])}</b>, probability {sure:.2f}{now}"


def _row(pictures: Iterable[tuple[Array, str]]) -> str:
    """Return pictures side by side with a line under each."""
    cells = "".join(
        f'<div>{_picture(image, text)}<div class="zs-small">{html.escape(text)}</div></div>' for image, text in pictures
    )
    return f'<div class="zs-row">{cells}</div>'


def _picture(image: Array, text: str) -> str:
    """Return one picture."""
    return f'<img class="zs-picture" src="{data_url(image, PICTURE_PIXELS)}" alt="{html.escape(text)}">'
