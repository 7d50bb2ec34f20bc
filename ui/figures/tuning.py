"""Figures of a sweep: its trials as points, as a map over two knobs, along parallel axes; from plain rows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from ui.figures.drawn import ROOM, Drawn, lay_out, range_of
from ui.figures.palette import CLASSES, FORGOTTEN, REMAINING
from ui.shell.words import knob_label, knob_short, levels_text
from zspag_core.metrics.catalogue import ACC_RT, ACC_UT
from zspag_core.tuning.objectives import BY_KEY, GRADED, RETAIN_FREE
from zspag_core.tuning.report import best_rows, finished, good, history_of_best

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import numpy.typing as npt

    from zspag_core.tuning.space import Axis
    from zspag_core.tuning.sweep import Sweep

    Row = dict[str, Any]

HEIGHT = 320
FAINT, FULL = 0.18, 1.0
LARGE = 14
FEW = 8


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
    lay_out_plain(figure, "trial", f"{objective.short}, {objective.unit}")
    figure.update_xaxes(**_counted(numbers))
    figure.update_yaxes(range=range_of(values, objective.unit))
    alt = f"{objective.title} of {len(done)} trials" + (f"; the best has {best[-1]:.2f}." if best else ".")
    records = [{"trial": n, objective.key: v, "best": b} for n, v, b in zip(numbers, values, best, strict=True)]
    return Drawn("tune-history", "History of the best", figure, alt, records, objective.meaning, objective.graded)


def front_figure(sweep: Sweep, rows: Sequence[Row], across: str, up: str, chosen: Collection[int]) -> Drawn:
    """Draw one objective against another; of two objectives the front is a line, on whose good side no trial lies.

    Where there are more than two, a trial of the front may look beaten in two of them.
    """
    drawn = points_figure(sweep, rows, across, up, chosen, "tune-front", "Pareto front", best="front")
    first, second = BY_KEY[across], BY_KEY[up]
    front = sorted(best_rows(sweep, rows), key=lambda row: good(row, first))
    if len(sweep.objectives) == 2:
        line = {"color": FORGOTTEN, "width": 1.5, "shape": "vh"}  # first down to what the next one has, then across
        x, y = ([row["figures"][key] for row in front] for key in (across, up))
        drawn.figure.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False)
    ways = " and ".join(f"{'more' if one.better == 'higher' else 'less'} {one.short}" for one in (first, second))
    note = f"Good is {ways}. Nothing that was tried is better than a star in one objective and no worse in the others."
    alt = f"{drawn.alt} On the front: trial {', '.join(str(row['number']) for row in front)}."
    return replace(drawn, note=note, alt=alt)


def points_figure(
    sweep: Sweep,
    rows: Sequence[Row],
    across: str,
    up: str,
    chosen: Collection[int],
    name: str,
    title: str,
    *,
    best: str = "best",
) -> Drawn:
    """Draw every trial as a point of two figures; the best ones as stars, those not chosen faint."""
    first, second = BY_KEY[across], BY_KEY[up]
    done = finished(rows, [first, second])
    ahead = {row["number"] for row in best_rows(sweep, rows)}
    star = {"color": FORGOTTEN, "size": LARGE, "symbol": "star"}
    figure = go.Figure()
    for label, own, mark in (
        ("trial", [row for row in done if row["number"] not in ahead], {"color": REMAINING, "size": 9}),
        (best, [row for row in done if row["number"] in ahead], star),
    ):
        figure.add_scatter(
            x=np.array([row["figures"][across] for row in own]),
            y=np.array([row["figures"][up] for row in own]),
            name=label,
            marker={**mark, "opacity": shades(own, chosen), "line": {"width": 1, "color": "white"}},
            **hover(own),
            hovertemplate="trial %{customdata}: %{text}<br>"
            f"{first.short} %{{x:.2f}}, {second.short} %{{y:.2f}}<extra></extra>",
        )
    lay_out_plain(figure, f"{first.short}, {first.unit}", f"{second.short}, {second.unit}")
    figure.update_layout(dragmode="select")
    figure.update_xaxes(range=range_of([row["figures"][across] for row in done], first.unit))
    figure.update_yaxes(range=range_of([row["figures"][up] for row in done], second.unit))
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


def curves_figure(
    curves: Mapping[str, Sequence[Row]], name: str, title: str, unit: str = "", *, grading: bool
) -> Drawn:
    """Draw one figure of every epoch for several trials.

    Args:
        curves: name of a trial -> its epochs.
        name: of the figure in an epoch's record.
        title: of the axis.
        unit: of the figure.
        grading: whether it needs data that is for grading only.
    """
    figure, records = go.Figure(), []
    for place, (trial, epochs) in enumerate(curves.items()):
        known = [row for row in epochs if row.get(name) is not None]
        figure.add_scatter(
            x=[row["epoch"] for row in known],
            y=[row[name] for row in known],
            name=trial,
            mode="lines+markers",
            line={"color": CLASSES[place % len(CLASSES)]},
        )
        records += [{"trial": trial, "epoch": row["epoch"], name: row[name]} for row in known]
    lay_out_plain(figure, "epoch", f"{title}, {unit}" if unit else title)
    figure.update_xaxes(**_counted([row["epoch"] for row in records]))
    figure.update_yaxes(range=range_of([row[name] for row in records], unit))
    alt = f"{title} after every epoch of {len(curves)} pinned trials."
    return Drawn("tune-curves", "Pinned trials, epoch by epoch", figure, alt, records, "", grading)


def slices(sweep: Sweep, rows: Sequence[Row], chosen: Collection[int]) -> list[Drawn]:
    """Draw the first objective over every knob that has several values, with the spread over seeds."""
    objective = BY_KEY[sweep.objectives[0]]
    done = finished(rows, [objective])
    found = []
    for place, axis in enumerate(sweep.space):
        if len(values_of(done, axis.name)) < 2:
            continue
        spread = [row["spread"].get(objective.key, 0.0) for row in done]
        figure = go.Figure()
        figure.add_scatter(
            x=[_place(axis, row["point"][axis.name]) for row in done],
            y=np.array([row["figures"][objective.key] for row in done]),
            error_y={"type": "data", "array": spread, "thickness": 1} if any(spread) else None,
            marker={"color": CLASSES[place % len(CLASSES)], "size": 8, "opacity": shades(done, chosen)},
            **hover(done),
            hovertemplate="trial %{customdata}: %{text}<br>%{y:.2f}<extra></extra>",
            showlegend=False,
        )
        lay_out_plain(figure, knob_label(axis.name), f"{objective.short}, {objective.unit}")
        figure.update_layout(dragmode="select")
        figure.update_xaxes(**_slice_axis(axis))
        if not any(spread):
            figure.update_yaxes(range=range_of([row["figures"][objective.key] for row in done], objective.unit))
        alt = f"{objective.title} over {knob_label(axis.name)}, {len(done)} trials."
        name = f"tune-slice-{axis.name}"
        found.append(Drawn(name, knob_label(axis.name), figure, alt, records_of(done), "", objective.graded))
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
    lay_out_plain(figure, "share, %", "")
    figure.update_xaxes(range=[0, 100 * (1 + ROOM)])
    records = [{"knob": name, "share": shares[name]} for name in names]
    note = "PED-ANOVA (Watanabe et al., 2023): what tells the better half of the trials from the rest."
    return Drawn("tune-importance", "Importance of the knobs", figure, "Importance of every knob.", records, note)


def point_text(point: Mapping[str, Any]) -> str:
    """Return a point in words."""
    return ", ".join(f"{knob_short(name)} {knob_text(name, value)}" for name, value in point.items())


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


def _counted(numbers: Sequence[int]) -> dict[str, Any]:
    """Return the axis of what is counted: of a few, plotly would write halves and fifths."""
    return {"dtick": 1} if numbers and max(numbers) - min(numbers) <= FEW else {}


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
    low, high = (math.log10(end) if axis.log else end for end in (axis.low, axis.high))
    room = ROOM * (high - low)
    return {"type": "log" if axis.log else "linear", "range": [low - room, high + room], **ticks}


def values_of(rows: Sequence[Row], name: str) -> list[Any]:
    """Return the values of a knob that occur, in order."""
    return sorted({row["point"][name] for row in rows}, key=lambda value: (isinstance(value, str), value))


def records_of(rows: Sequence[Row]) -> list[Row]:
    """Return trials as plain records: number, knobs, figures."""
    return [{"trial": row["number"], **row["point"], **row["figures"]} for row in rows]


def hover(rows: Sequence[Row], texts: Sequence[str] | None = None) -> dict[str, Any]:
    """Return what marks carry: the numbers of their trials, and a text each; their points in words without one."""
    texts = [point_text(row["point"]) for row in rows] if texts is None else texts
    return {"customdata": [str(row["number"]) for row in rows], "text": texts, "mode": "markers"}


def shades(rows: Sequence[Row], chosen: Collection[int]) -> npt.NDArray[np.float64]:
    """Return how strongly trials are drawn, (N,): those that are not chosen faintly."""
    return np.array([FULL if not chosen or row["number"] in chosen else FAINT for row in rows])


def lay_out_plain(figure: go.Figure, across: str, up: str) -> None:
    """Give a figure its size and the titles of its axes."""
    xaxis, yaxis = ({"title": title, "zeroline": False} for title in (across, up))
    lay_out(figure, HEIGHT, xaxis=xaxis, yaxis=yaxis)
