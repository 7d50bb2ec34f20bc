"""Parallel coordinates of a sweep: every trial a line through its knobs and figures, which can be drawn around."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from ui.figures.drawn import Drawn, lay_out
from ui.figures.palette import FORGOTTEN, REFERENCE, REMAINING
from ui.figures.tuning import FAINT, FULL, HEIGHT, hover, knob_text, records_of, shades
from ui.shell.words import knob_short
from zspag_core.metrics.catalogue import ACC_RT, ACC_UT
from zspag_core.tuning.objectives import BY_KEY
from zspag_core.tuning.report import finished, good

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from zspag_core.tuning.space import Axis
    from zspag_core.tuning.sweep import Sweep

    Row = dict[str, Any]

COLOURS = (REMAINING, "#7D818B", "#947A6C", "#AB724D", "#C26B2E", FORGOTTEN)
"""Of the worst to the best sixth of the trials; each reads on a light and on a dark page."""
MOST_TICKS = 8
LETTERS, LEAST_LETTERS, LINE_SHARE = 100, 8, 0.09
"""Letters of all names above the axes that fit on a line of a narrow page, those that one has at least, and the share
of the picture's height that a line takes."""
MANY, HALF = 100, 0.4
"""Lines from which on they are drawn half through, so that values at the axes can be read."""


def parallel_figure(sweep: Sweep, rows: Sequence[Row], chosen: Collection[int]) -> Drawn:
    """Draw every trial as a line through its knobs and figures; whoever draws around a part of an axis picks them.

    A line's colour says how good its trial is by the first objective; those that are not chosen are grey.
    """
    objective = BY_KEY[sweep.objectives[0]]
    done = finished(rows, [objective])
    scales = [_knob_scale(axis, done) for axis in sweep.space] + _figure_scales(sweep, done)
    order = sorted(done, key=lambda row: good(row, objective))
    figure = go.Figure()
    faint = [row for row in order if chosen and row["number"] not in chosen]
    strong = [row for row in order if not chosen or row["number"] in chosen]
    figure.add_scatter(**_lines(faint, scales, REFERENCE, FAINT))
    for part in range(len(COLOURS)):
        own = [row for place, row in enumerate(strong) if place * len(COLOURS) // len(strong) == part]
        figure.add_scatter(**_lines(own, scales, COLOURS[part], FULL if len(strong) <= MANY else HALF))
    points = [(place, scale, row) for row in order for place, scale in enumerate(scales)]
    figure.add_scatter(
        x=np.array([place for place, _, _ in points]),
        y=np.array([scale.place(row) for _, scale, row in points]),
        marker={"size": 5, "color": REMAINING, "opacity": shades([row for _, _, row in points], chosen)},
        **hover([row for _, _, row in points], [scale.text(row) for _, scale, row in points]),
        hovertemplate="trial %{customdata}: %{text}<extra></extra>",
        showlegend=False,
    )
    _lay_out_scales(figure, scales)
    better = "more" if objective.better == "higher" else "less"
    note = f"Orange lines have {better} {objective.short}. Draw around a part of an axis to pick trials."
    alt = f"{len(strong)} of {len(done)} trials as lines through {len(scales)} axes."
    return Drawn("tune-parallel", "Parallel coordinates", figure, alt, records_of(strong), note, grading=True)


@dataclass(frozen=True)
class _Scale:
    """An upright axis: where a trial stands on it, from 0 to 1, and what is written beside it."""

    label: str
    place: Callable[[Row], float]
    text: Callable[[Row], str]
    ticks: Sequence[tuple[float, str]]


def _knob_scale(axis: Axis, rows: Sequence[Row]) -> _Scale:
    """Return one knob as an axis: words and lists by their place, a range as it is spread."""
    label = knob_short(axis.name)

    def text(row: Row) -> str:
        return f"{label} {knob_text(axis.name, row['point'][axis.name])}"

    if axis.values:
        steps = max(1, len(axis.values) - 1)
        places = {value: place / steps for place, value in enumerate(axis.values)}
        ticks = [(place, knob_text(axis.name, value)) for value, place in places.items()]
        return _Scale(label, lambda row: places.get(row["point"][axis.name], 0.0), text, ticks)
    spread = math.log10 if axis.log else float
    low, width = spread(axis.low), spread(axis.high) - spread(axis.low)

    def share(value: float) -> float:
        return (spread(value) - low) / width

    ticks = [(share(float(value)), knob_text(axis.name, value)) for value in axis.grid()]
    return _Scale(label, lambda row: share(row["point"][axis.name]), text, ticks)


def _figure_scales(sweep: Sweep, rows: Sequence[Row]) -> list[_Scale]:
    """Return the objectives and both accuracies as axes, as far as every trial has them."""
    keys = dict.fromkeys((*sweep.objectives, ACC_RT.key, ACC_UT.key))
    return [_figure_scale(key, rows) for key in keys if all(row["figures"].get(key) is not None for row in rows)]


def _figure_scale(key: str, rows: Sequence[Row]) -> _Scale:
    """Return one figure as an axis from its least to its largest value."""
    values = [row["figures"][key] for row in rows]
    low, width = min(values, default=0.0), max(values, default=0.0) - min(values, default=0.0)

    def place(row: Row) -> float:
        return (row["figures"][key] - low) / width if width else 0.5

    ticks = [(0.0, f"{low:.1f}"), (1.0, f"{low + width:.1f}")] if width else [(0.5, f"{low:.1f}")]
    short = BY_KEY[key].short
    return _Scale(short, place, lambda row: f"{short} {row['figures'][key]:.2f}", ticks)


def _lines(rows: Sequence[Row], scales: Sequence[_Scale], colour: str, opacity: float) -> dict[str, Any]:
    """Return trials as one trace of many lines."""
    gap = [float("nan")]
    return {
        "x": np.array([*range(len(scales)), *gap] * len(rows)),
        "y": np.array([y for row in rows for y in [*(scale.place(row) for scale in scales), *gap]]),
        "mode": "lines",
        "line": {"color": colour, "width": 1.5},
        "opacity": opacity,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _lay_out_scales(figure: go.Figure, scales: Sequence[_Scale]) -> None:
    """Draw the upright axes with their names above and values beside them."""
    last = len(scales) - 1
    labels = [textwrap.wrap(scale.label, max(LEAST_LETTERS, LETTERS // len(scales))) for scale in scales]
    top = 1.1 + LINE_SHARE * max(map(len, labels))
    line = {"type": "line", "y0": 0, "y1": 1, "line": {"color": REFERENCE, "width": 1}, "layer": "below"}
    lay_out(
        figure,
        HEIGHT,
        xaxis={"visible": False, "range": [-0.1, last + 0.35]},
        yaxis={"visible": False, "range": [-0.08, top]},
        shapes=[line | {"x0": place, "x1": place} for place in range(len(scales))],
        annotations=[
            note
            for place, (scale, label) in enumerate(zip(scales, labels, strict=True))
            for note in _notes(scale, "<br>".join(label), place, last)
        ],
        dragmode="select",
    )


def _notes(scale: _Scale, label: str, place: int, last: int) -> list[dict[str, Any]]:
    """Return the values beside an axis and the name above it.

    The page's style draws a rim of its background around them, so that no line strikes them through.
    """
    few = scale.ticks if len(scale.ticks) <= MOST_TICKS else (scale.ticks[0], scale.ticks[-1])
    beside = {"x": place, "showarrow": False, "xanchor": "left", "xshift": 5, "font": {"size": 11}}
    anchor = "left" if place == 0 else "right" if place == last else "center"
    shift = {"left": -8, "right": 8}.get(anchor, 0)
    above = {"x": place, "y": 1.06, "showarrow": False, "yanchor": "bottom", "xanchor": anchor, "xshift": shift}
    return [*(beside | {"y": at, "text": text} for at, text in few), above | {"text": f"<b>{label}</b>"}]
