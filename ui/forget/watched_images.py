"""The watched images: where the model sees evidence for their own label, epoch by epoch."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ui.figures.palette import FORGOTTEN, HEAT, REMAINING
from ui.figures.pictures import from_data_url, overlay

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from zspag_core.jobs import Event

    Array = NDArray[Any]


@dataclass(frozen=True)
class Watched:
    """A few images and one frame an epoch.

    Attributes:
        pictures: one (C, H, W) uint8 per image.
        labels: the true class of each.
        epochs: the epoch of each frame, 0 being the model before.
        maps: (E, n, h, w) evidence for the true class, unscaled.
        probability: (E, n) of the true class.
        predicted: (E, n) the class that the model reads.
    """

    pictures: Sequence[Array]
    labels: tuple[int, ...]
    epochs: tuple[int, ...]
    maps: Array
    probability: Array
    predicted: Array

    @property
    def most(self) -> float:
        """Return the strongest evidence in any frame: the end of the one scale that all share."""
        return float(self.maps.max(initial=0.0))


def watched_from_events(events: Iterable[Event]) -> Watched | None:
    """Return what a run has reported so far, None while it has not."""
    frames = {int(event.body["epoch"]): event.body for event in events if event.kind == "watch"}
    first = frames.get(0)
    if first is None:
        return None
    order = sorted(frames)
    return Watched(
        [from_data_url(url) for url in first["pictures"]],
        tuple(first["labels"]),
        tuple(order),
        np.nan_to_num(np.array([frames[epoch]["maps"] for epoch in order], np.float32)),
        np.nan_to_num(np.array([frames[epoch]["probability"] for epoch in order], np.float32)),
        np.array([frames[epoch]["predicted"] for epoch in order]),
    )


def watched_from_arrays(arrays: Mapping[str, Array]) -> Watched:
    """Return what a finished run has left in its folder (file "watch")."""
    return Watched(
        list(arrays["images"]),
        tuple(map(int, arrays["labels"])),
        tuple(map(int, arrays["epochs"])),
        np.nan_to_num(arrays["maps"]),
        np.nan_to_num(arrays["probability"]),
        arrays["predicted"],
    )


def frame_html(watched: Watched, place: int, forgotten: Sequence[int], names: Sequence[str]) -> str:
    """Return one frame as a row of pictures with what the model thinks of each, for the light and the dark theme.

    Args:
        watched: the images and all frames.
        place: which frame, a position in `watched.epochs`.
        forgotten: the forgotten classes.
        names: one name per class.
    """
    cells = [
        _cell(watched, place, image, names, gone=watched.labels[image] in forgotten)
        for image in range(len(watched.labels))
    ]
    columns = f"repeat({len(cells)},minmax(0,1fr))"
    return (
        f'<div style="display:grid;grid-template-columns:{columns};gap:.75rem">{"".join(cells)}</div>{_scale(watched)}'
    )


def _cell(watched: Watched, place: int, image: int, names: Sequence[str], *, gone: bool) -> str:
    """Return one image under its map, with its label, its probability and what is read."""
    label, predicted = watched.labels[image], int(watched.predicted[place, image])
    sure = 100 * float(watched.probability[place, image])
    name, read = html.escape(names[label]), html.escape(names[predicted])
    kind, colour = ("forgotten", FORGOTTEN) if gone else ("remaining", REMAINING)
    url = overlay(watched.pictures[image], watched.maps[place, image], HEAT, 0.0, watched.most)
    alt = f"Image of {kind} class {name} with the evidence for it: {sure:.0f} percent sure, read as {read}"
    bar = f"linear-gradient(90deg,{colour} {sure:.0f}%,rgba(128,128,128,.25) {sure:.0f}%)"
    return (
        f'<figure style="margin:0;max-width:9.5rem"><img src="{url}" alt="{alt}" style="width:100%;border-radius:4px;'
        f'outline:2px solid {colour};display:block"><figcaption style="font-size:.8rem;line-height:1.3;'
        f'margin-top:.35rem"><span style="color:{colour};font-weight:600">{kind} {name}</span>'
        f'<div style="height:4px;border-radius:2px;margin:.2rem 0;background:{bar}"></div>'
        f"{sure:.0f}\N{NO-BREAK SPACE}% sure of {name}<br>"
        f"read as <b>{read}</b></figcaption></figure>"
    )


def _scale(watched: Watched) -> str:
    """Return the one colour scale of all frames."""
    return (
        '<div style="display:flex;align-items:center;gap:.5rem;font-size:.75rem;opacity:.8;margin-top:.4rem">'
        f'no evidence <span style="height:.5rem;width:8rem;border-radius:2px;background:linear-gradient(90deg,'
        f'{",".join(HEAT)})"></span> most of any epoch ({watched.most:.3g})</div>'
    )
