"""Figures of a sweep: its trials as points, as a map over two knobs, along parallel axes; from plain rows."""

from __future__ import annotations

import math
from statistics import fmean
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from ui.figures.drawn import SHADES, Drawn, lay_out
from ui.figures.palette import CLASSES, FORGOTTEN, REMAINING
from ui.shell.words import knob_label, levels_text
from zspag_core.metrics.catalogue import ACC_RT, ACC_UT
from zspag_core.tuning.objectives import BY_KEY, GRADED, RETAIN_FREE
from zspag_core.tuning.report import best_rows, finished, history_of_best

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from zspag_core.tuning.space import Axis
    from zspag_core.tuning.sweep import Sweep

    Row = dict[str, Any]

HEIGHT = 320
FAINT, FULL = 0.18, 1.0
LARGE = 14


def history_figure(sweep: Sweep, rows: Sequence[Row]) -> Drawn:
    """Draw the first objective of every trial, and the best so far."""
    objective = BY_KEY[sweep.objectives[0]]
    done = finished(rows, [objective])
    best = history_of_best(sweep, rows)
    figure = go.Figure()
    numbers = [row["number"] for row in done]
    values = [row["figures"][objective.key] for row in done]
    figure.add_scatter(x=numbers, y=values, mode="markers", name="trial", marker={"color": REMAINING, "size": 7})
    figure.add_scatter(x=numbers, y=best, mode="lines", name="best so far", line={"color": FORGOTTEN, "shape": "hv"})
    _lay_out(figure, "trial", f"{objective.short}, {objective.unit}")
    alt = f"{objective.title} of {len(done)} trials" + (f"; the best has {best[-1]:.2f}." if best else ".")
    records = [{"trial": n, objective.key: v, "best": b} for n, v, b in zip(numbers, values, best, strict=True)]
    return Drawn("tune-history", "History of the best", figure, alt, records, objective.meaning, objective.graded)


def points_figure(
    sweep: Sweep, rows: Sequence[Row], across: str, up: str, chosen: Collection[int], name: str, title: str
) -> Drawn:
    """Draw every trial as a point of two figures; the best ones as stars, those not chosen faint."""
    first, second = BY_KEY[across], BY_KEY[up]
    done = finished(rows, [first, second])
    best = {row["number"] for row in best_rows(sweep, rows)}
    figure = go.Figure()
    for label, own, mark in (
        ("trial", [row for row in done if row["number"] not in best], {"color": REMAINING, "size": 9}),
        ("best", [row for row in done if row["number"] in best], {"color": FORGOTTEN, "size": LARGE, "symbol": "star"}),
    ):
        figure.add_scatter(
            x=[row["figures"][across] for row in own],
            y=[row["figures"][up] for row in own],
            name=label,
            mode="markers",
            marker={**mark, "opacity": [_shade(row, chosen) for row in own], "line": {"width": 1, "color": "white"}},
            customdata=[[row["number"], point_text(row["point"])] for row in own],
            hovertemplate="trial %{customdata[0]}: %{customdata[1]}<br>%{x:.2f}, %{y:.2f}<extra></extra>",
        )
    _lay_out(figure, f"{first.short}, {first.unit}", f"{second.short}, {second.unit}")
    figure.update_layout(dragmode="select")
    records = [{"trial": row["number"], across: row["figures"][across], up: row["figures"][up]} for row in done]
    alt = f"{second.title} against {first.title} of {len(done)} trials."
    return Drawn(name, title, figure, alt, records, "", first.graded or second.graded)


def kept_and_forgotten(sweep: Sweep, rows: Sequence[Row], chosen: Collection[int]) -> Drawn:
    """Draw Acc_rt against Acc_ut."""
    return points_figure(sweep, rows, ACC_RT.key, ACC_UT.key, chosen, "tune-points", "What was kept, what forgotten")


def predicted_and_graded(sweep: Sweep, rows: Sequence[Row], chosen: Collection[int]) -> Drawn:
    """Draw the graded score against the retain-free one."""
    title = "How well the retain-free score predicts"
    return points_figure(sweep, rows, RETAIN_FREE.key, GRADED.key, chosen, "tune-predicted", title)


def heat_figure(sweep: Sweep, rows: Sequence[Row], across: Axis, up: Axis, key: str) -> Drawn:
    """Draw the mean of a figure over two knobs; trials that differ in others, or in range values nearby, are joined."""
    objective = BY_KEY[key]
    done = finished(rows, [objective])
    columns, lines = _values(done, across.name), _values(done, up.name)
    cells = [[_mean(done, {across.name: x, up.name: y}, key) for x in columns] for y in lines]
    figure = go.Figure(
        go.Heatmap(
            x=[knob_text(across.name, x) for x in columns],
            y=[knob_text(up.name, y) for y in lines],
            z=cells,
            colorscale=SHADES,
            reversescale=objective.better == "lower",
            texttemplate="%{z:.1f}",
            colorbar={"title": objective.unit},
            hovertemplate=f"{knob_label(across.name)} %{{x}}, {knob_label(up.name)} %{{y}}: %{{z:.2f}}<extra></extra>",
        )
    )
    _lay_out(figure, knob_label(across.name), knob_label(up.name))
    figure.update_xaxes(type="category")
    figure.update_yaxes(type="category")
    records = [
        {across.name: x, up.name: y, key: cell}
        for y, line in zip(lines, cells, strict=True)
        for x, cell in zip(columns, line, strict=True)
    ]
    title = f"{objective.title} over {knob_label(across.name)} and {knob_label(up.name)}"
    return Drawn("tune-heat", title, figure, f"{title}, {len(done)} trials.", records, "", objective.graded)


def parallel_figure(sweep: Sweep, rows: Sequence[Row], chosen: Collection[int]) -> Drawn:
    """Draw every trial as a line through its knobs and figures; those that are chosen, or all."""
    objective = BY_KEY[sweep.objectives[0]]
    keys = list(dict.fromkeys((objective.key, *sweep.objectives, ACC_RT.key, ACC_UT.key)))
    done = finished(rows, [objective])
    shown = [row for row in done if not chosen or row["number"] in chosen]
    dimensions = [_knob_axis(axis, shown) for axis in sweep.space]
    dimensions += [
        {"label": BY_KEY[key].short, "values": [row["figures"].get(key) for row in shown]}
        for key in keys
        if all(row["figures"].get(key) is not None for row in shown)
    ]
    colours = [row["figures"][objective.key] for row in shown]
    line = {"color": colours, "colorscale": [SHADES[1], SHADES[2]], "reversescale": objective.better == "lower"}
    figure = go.Figure(go.Parcoords(dimensions=dimensions, line=line))
    lay_out(figure, HEIGHT, margin={"l": 60, "r": 40, "t": 40, "b": 30})
    alt = f"{len(shown)} trials as lines through {len(dimensions)} axes."
    return Drawn("tune-parallel", "Parallel coordinates", figure, alt, _records(shown), "", grading=True)


def slices(sweep: Sweep, rows: Sequence[Row], chosen: Collection[int]) -> list[Drawn]:
    """Draw the first objective over every knob that has several values, with the spread over seeds."""
    objective = BY_KEY[sweep.objectives[0]]
    done = finished(rows, [objective])
    found = []
    for place, axis in enumerate(sweep.space):
        if len(_values(done, axis.name)) < 2:
            continue
        figure = go.Figure()
        figure.add_scatter(
            x=[_place(axis, row["point"][axis.name]) for row in done],
            y=[row["figures"][objective.key] for row in done],
            error_y={"type": "data", "array": [row["spread"].get(objective.key, 0.0) for row in done], "thickness": 1},
            mode="markers",
            marker={"color": CLASSES[place], "size": 8, "opacity": [_shade(row, chosen) for row in done]},
            customdata=[[row["number"], point_text(row["point"])] for row in done],
            hovertemplate="trial %{customdata[0]}: %{customdata[1]}<br>%{y:.2f}<extra></extra>",
            showlegend=False,
        )
        _lay_out(figure, knob_label(axis.name), f"{objective.short}, {objective.unit}")
        figure.update_xaxes(**_slice_axis(axis))
        alt = f"{objective.title} over {knob_label(axis.name)}, {len(done)} trials."
        name = f"tune-slice-{axis.name}"
        found.append(Drawn(name, knob_label(axis.name), figure, alt, _records(done), "", objective.graded))
    return found


def importance_figure(shares: Mapping[str, float]) -> Drawn:
    """Draw which knobs the first objective depends on."""
    names = sorted(shares, key=lambda name: shares[name])
    figure = go.Figure(
        go.Bar(
            x=[100 * shares[name] for name in names],
            y=[knob_label(name) for name in names],
            orientation="h",
            marker={"color": REMAINING},
            texttemplate="%{x:.0f} %",
        )
    )
    _lay_out(figure, "share, %", "")
    records = [{"knob": name, "share": shares[name]} for name in names]
    note = "PED-ANOVA (Watanabe et al., 2023): what tells the better half of the trials from the rest."
    return Drawn("tune-importance", "Importance of the knobs", figure, "Importance of every knob.", records, note)


def point_text(point: Mapping[str, Any]) -> str:
    """Return a point in words."""
    return ", ".join(f"{knob_label(name)} {knob_text(name, value)}" for name, value in point.items())


def knob_text(name: str, value: Any) -> str:  # noqa: ANN401 - a value of any knob type
    """Return a knob's value as people write it."""
    if name == "epsilon":
        return levels_text(float(value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def axis_text(axis: Axis) -> str:
    """Return what a knob is varied over: its values, or the ends of its range."""
    if axis.values:
        return ", ".join(knob_text(axis.name, value) for value in axis.values)
    scale = ", logarithmic" if axis.log else ""
    return f"{knob_text(axis.name, axis.low)} to {knob_text(axis.name, axis.high)}{scale}"


def _knob_axis(axis: Axis, rows: Sequence[Row]) -> dict[str, Any]:
    """Return one knob as an axis of parallel coordinates; words and lists by their place, a range by ticks on it."""
    if not axis.values:
        scaled = math.log10 if axis.log else float
        grid = axis.grid()
        return {
            "label": knob_label(axis.name),
            "values": [scaled(row["point"][axis.name]) for row in rows],
            "range": [scaled(axis.low), scaled(axis.high)],
            "tickvals": [scaled(value) for value in grid],
            "ticktext": [knob_text(axis.name, value) for value in grid],
        }
    places = {value: place for place, value in enumerate(axis.values)}
    ticks = {"tickvals": list(places.values()), "ticktext": [knob_text(axis.name, value) for value in axis.values]}
    return {"label": knob_label(axis.name), "values": [places.get(row["point"][axis.name], 0) for row in rows], **ticks}


def _place(axis: Axis, value: Any) -> Any:  # noqa: ANN401 - a value of any knob type
    """Return where a value stands on a slice's axis: a number of a range, else its name."""
    return knob_text(axis.name, value) if axis.values else value


def _slice_axis(axis: Axis) -> dict[str, Any]:
    """Return the axis of a slice: a list's values in its order, a range with its ends and values between."""
    if axis.values:
        names = [knob_text(axis.name, value) for value in axis.values]
        return {"type": "category", "categoryorder": "array", "categoryarray": names}
    grid = axis.grid()
    ticks = {"tickvals": list(grid), "ticktext": [knob_text(axis.name, value) for value in grid]}
    return {"type": "log" if axis.log else "linear", **ticks}


def _values(rows: Sequence[Row], name: str) -> list[Any]:
    """Return the values of a knob that occur, in order."""
    return sorted({row["point"][name] for row in rows}, key=lambda value: (isinstance(value, str), value))


def _mean(rows: Sequence[Row], point: Mapping[str, Any], key: str) -> float | None:
    """Return the mean figure of the trials at a point; None without any."""
    own = [row["figures"][key] for row in rows if all(row["point"][name] == value for name, value in point.items())]
    return fmean(own) if own else None


def _records(rows: Sequence[Row]) -> list[Row]:
    return [{"trial": row["number"], **row["point"], **row["figures"]} for row in rows]


def _shade(row: Row, chosen: Collection[int]) -> float:
    """Return how strongly a trial is drawn."""
    return FULL if not chosen or row["number"] in chosen else FAINT


def _lay_out(figure: go.Figure, across: str, up: str) -> None:
    xaxis, yaxis = ({"title": title, "zeroline": False} for title in (across, up))
    lay_out(figure, HEIGHT, xaxis=xaxis, yaxis=yaxis)
