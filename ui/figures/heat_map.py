"""A sweep as a map over two knobs: the mean of a figure in every cell, and cells that can be drawn around."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from ui.figures.drawn import SHADES, Drawn, span_of
from ui.figures.palette import FORGOTTEN
from ui.figures.tuning import FULL, knob_text, lay_out_plain, values_of
from ui.shell.formatting import counted
from ui.shell.words import knob_label
from zspag_core.tuning.objectives import BY_KEY
from zspag_core.tuning.report import finished

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from zspag_core.tuning.space import Axis
    from zspag_core.tuning.sweep import Sweep

    Row = dict[str, Any]

CELL = 26
MOST_WRITTEN = 150
"""Cells of a map whose values are written into them."""
MOST_VALUES, BANDS = 12, 6
"""A knob with more values than these is drawn in bands, so many."""


@dataclass(frozen=True)
class Bands:
    """The columns or lines of a map.

    Attributes:
        knob: whose values they are.
        names: of the bands, in order.
        edges: lower ends of all but the first; empty where a band is one value.
    """

    knob: str
    names: Sequence[str]
    edges: Sequence[float] = ()

    def of(self, row: Row) -> str:
        """Return the name of the band that a trial lies in."""
        value = row["point"][self.knob]
        return self.names[bisect.bisect_right(self.edges, value)] if self.edges else knob_text(self.knob, value)


def bands(axis: Axis, rows: Sequence[Row]) -> Bands:
    """Return the bands of a knob: every value of a few, else equal parts of its range."""
    values = values_of(rows, axis.name)
    if axis.values or len(values) <= MOST_VALUES:
        return Bands(axis.name, [knob_text(axis.name, value) for value in values])
    edges = [float(axis.at(part / BANDS)) for part in range(BANDS + 1)]
    names = [f"{knob_text(axis.name, low)} – {knob_text(axis.name, high)}" for low, high in pairwise(edges)]
    return Bands(axis.name, names, edges[1:-1])


def heat_figure(
    sweep: Sweep, rows: Sequence[Row], across: Axis, up: Axis, key: str, chosen: Collection[int] = ()
) -> Drawn:
    """Draw the mean of a figure over two knobs; trials of one cell that differ in others are joined.

    A cell carries the numbers of all its trials; those with a chosen one have a frame.

    Args:
        sweep: what was varied.
        rows: its trials.
        across: the knob of the columns.
        up: the knob of the lines.
        key: of the figure.
        chosen: numbers of trials.
    """
    objective = BY_KEY[key]
    done = finished(rows, [objective])
    columns, lines = bands(across, done), bands(up, done)
    held: dict[tuple[str, str], list[Row]] = {}
    for row in done:
        held.setdefault((columns.of(row), lines.of(row)), []).append(row)
    means = {place: fmean(row["figures"][key] for row in own) for place, own in held.items()}
    least, most = span_of(means.values(), objective.unit) or (None, None)
    figure = go.Figure(
        go.Heatmap(
            x=columns.names,
            y=lines.names,
            z=[[means.get((x, y)) for x in columns.names] for y in lines.names],
            colorscale=SHADES,
            zmin=least,
            zmax=most,
            reversescale=objective.better == "lower",
            texttemplate="%{z:.1f}" if len(columns.names) * len(lines.names) <= MOST_WRITTEN else None,
            colorbar={"title": objective.unit},
            hoverinfo="skip",
        )
    )
    _add_cells(figure, held, chosen)
    lay_out_plain(figure, knob_label(across.name), knob_label(up.name))
    figure.update_layout(dragmode="select", legend_x=1.02)  # plotly's bar on top, not over the colours at the right
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=columns.names)
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=lines.names)
    records = [
        {across.name: x, up.name: y, key: means.get((x, y)), "trials": len(held.get((x, y), ()))}
        for y in lines.names
        for x in columns.names
    ]
    title = f"{objective.title} over {knob_label(across.name)} and {knob_label(up.name)}"
    return Drawn("tune-heat", title, figure, f"{title}, {len(done)} trials.", records, "", objective.graded)


def _add_cells(figure: go.Figure, held: Mapping[tuple[str, str], Sequence[Row]], chosen: Collection[int]) -> None:
    """Lay a mark over every cell that has trials: it can be drawn around, which the map itself cannot."""
    framed = [any(row["number"] in chosen for row in own) for own in held.values()]
    figure.add_scatter(
        x=[x for x, _ in held],
        y=[y for _, y in held],
        mode="markers",
        marker={
            "symbol": "square-open",
            "size": CELL,
            "color": FORGOTTEN,
            "opacity": [FULL if frame else 0.0 for frame in framed],
            "line": {"width": 2},
        },
        selected={"marker": {"opacity": FULL}},
        unselected={"marker": {"opacity": 0.0}},
        customdata=[",".join(str(row["number"]) for row in own) for own in held.values()],
        text=[counted(len(own), "trial") for own in held.values()],
        hovertemplate="%{x}, %{y}: %{text}<extra></extra>",
        showlegend=False,
    )
