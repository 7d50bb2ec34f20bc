"""A figure with everything that goes with it: title, words for those who cannot see it, its data as a table."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import plotly.io

from ui.figures.palette import FORGOTTEN

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import plotly.graph_objects as go

    Row = dict[str, Any]

SHADES = [[0.0, "#EDF1F5"], [0.5, "#7FA3C7"], [1.0, "#0B3C66"]]
"""Shares from none to all; light and opaque, so that it reads the same on a light page, a dark page and paper."""

TEMPLATE = "zspag"
plotly.io.templates[TEMPLATE] = {
    "layout": {
        "margin": {"l": 0, "r": 8, "t": 8, "b": 0},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "xaxis": {"automargin": True},
        "yaxis": {"automargin": True},
        "bargap": 0.25,
    }
}
"""What figures look like: thin margins, a legend above, room for the names at the axes."""

NARROW = 0.1
ENDS = {
    "%": (0.0, 100.0, 2.0),
    "points": (-math.inf, 100.0, 2.0),
    "s": (0.0, math.inf, 0.0),
    "nats": (0.0, math.inf, 0.0),
}
"""Unit -> least and largest value that there can be, and how much of the scale is drawn at least; 0: a share of it."""
ROOM = 0.05
"""Share of an axis beyond its values."""

SLANTED_FROM = 60  # letters that fit under half a page


@dataclass(frozen=True)
class Drawn:
    """One figure of a run.

    Attributes:
        name: of its file, without an ending.
        title: heading.
        figure: the picture.
        alt: what it shows, in a sentence.
        rows: its data, one record a line.
        note: how to read it, empty where the heading says enough.
        grading: whether it rests on data that is for grading only.
    """

    name: str
    title: str
    figure: go.Figure
    alt: str
    rows: Sequence[Row] = field(default=(), repr=False)
    note: str = ""
    grading: bool = False


def tick_names(names: Sequence[str], classes: Sequence[int], forget: Collection[int]) -> list[str]:
    """Return the labels of an axis of classes, the forgotten ones in orange."""
    return [f'<span style="color:{FORGOTTEN}"><b>{names[k]}</b></span>' if k in forget else names[k] for k in classes]


def name_ticks(axis_names: Sequence[str], classes: Sequence[int], forget: Collection[int]) -> dict[str, Any]:
    """Return the settings of a horizontal axis of classes: all names are written, slanted where they are long."""
    return {
        "tickvals": list(range(len(classes))),
        "ticktext": tick_names(axis_names, classes, forget),
        "tickangle": -45 if slanted(axis_names, classes) else 0,
        "ticklabeloverflow": "allow",
        "automargin": True,
        "zeroline": False,
    }


def slanted(names: Sequence[str], classes: Sequence[int]) -> bool:
    """Tell whether the names of classes are too long to stand beside each other."""
    return sum(len(names[k]) + 2 for k in classes) > SLANTED_FROM


def span_of(values: Collection[float], unit: str) -> tuple[float, float] | None:
    """Return the ends of a scale that some values lie on, None where plotly's own choice is right.

    Shares stay between 0 and 100 percent, scores below 100 points, times and divergences above 0; values that are
    nearly alike are not torn apart. Where all are 0, plotly would draw from -1 to 1.

    Args:
        values: that are drawn; there may be none.
        unit: of the values, as measures and objectives have it.
    """
    if unit not in ENDS or not values:
        return None
    least, most, width = ENDS[unit]
    low, high = min(values), max(values)
    lacking = max(0.0, (width or NARROW * high or 1.0) - (high - low)) / 2
    low, high = low - lacking, high + lacking
    low, high = low + max(0.0, least - low), high + max(0.0, least - low)
    down = max(0.0, high - most)
    return max(least, low - down), high - down


def range_of(values: Collection[float], unit: str) -> list[float] | None:
    """Return the range of an axis: :func:`span_of` with room for the marks at its ends."""
    span = span_of(values, unit)
    if span is None:
        return None
    room = ROOM * (span[1] - span[0])
    return [span[0] - room, span[1] + room]


def lay_out(figure: go.Figure, height: int, **layout: Any) -> None:  # noqa: ANN401 - whatever plotly takes
    """Give a figure its height and what else of the layout is its own, beside the template that all share.

    The template is plotly's default from the first figure on: a figure takes a default at once, and needs 30 ms to be
    given one.
    """
    usual = str(plotly.io.templates.default)
    if not usual.endswith(TEMPLATE):
        name = f"{usual}-{TEMPLATE}"
        plotly.io.templates[name] = plotly.io.templates.merge_templates(usual, TEMPLATE)
        plotly.io.templates.default = name
        figure.update_layout(template=name)
    figure.update_layout(height=height, **layout)
