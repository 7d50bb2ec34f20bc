"""Figures of the Compare page: what methods kept and forgot, what is left inside, and how long they took."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from ui.figures.drawn import Drawn, lay_out
from ui.figures.markers import APART, MASK, ORIGINAL, RETRAIN, looks, role_of
from ui.figures.palette import REFERENCE
from ui.shell.formatting import between, duration
from zspag_core.metrics.catalogue import ACC_RT, ACC_UT, ENTROPY, PROBE, SECONDS
from zspag_core.reproduce.comparison import BLIND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.reproduce.comparison import Comparison, Row

LABEL_WIDTH = 27  # letters
SET_APART = ("official", "tuned", BLIND)
"""Kinds of which one method often has a row each, so that they are named with it."""
CORNER = 8.0  # points of either accuracy that the good corner spans
LEAST_BAND = 1.2  # points: narrower bands would not be seen
SMALL, LARGE = 9.0, 30.0  # pixels: the quickest and the slowest method
ROW_HEIGHT, LINE_HEIGHT, SCATTER_HEIGHT, LEGEND_HEIGHT = 27, 15, 430, 19


def named_with_kinds(comparison: Comparison) -> Comparison:
    """Return a comparison whose rows' labels say which are tuned and which have official settings."""
    rows = [
        replace(row, label=f"{row.label}{APART}{row.kind}") if row.kind in SET_APART else row for row in comparison.rows
    ]
    return replace(comparison, rows=rows)


def failed_note(rows: Sequence[Row]) -> str:
    """Return a sentence about rows of which no seed came to anything, empty where there is none."""
    failed = [row.label for row in rows if row.seeds and all(outcome.error for outcome in row.seeds)]
    return f" Failed, so not drawn: {', '.join(failed)}." if failed else ""


def span(row: Row | None, name: str) -> tuple[float, float] | None:
    """Return the least and the largest value of a figure over the seeds of a row; None where it is unknown."""
    known = [value for outcome in (row.seeds if row else ()) if (value := outcome.value(name)) is not None]
    return (min(known), max(known)) if known else None


def reference(comparison: Comparison, role: str) -> Row | None:
    """Return a reference row of a comparison."""
    return next((row for row in comparison.rows if role_of(row) == role), None)


def kept_and_forgotten(comparison: Comparison, *, near: bool = False) -> Drawn:
    """Draw forgotten against remaining accuracy, one mark a row, its size the time; the mask is a line.

    Args:
        comparison: the rows.
        near: show the good corner only, where marks stand close together.
    """
    figure, look = go.Figure(), looks(comparison.rows)
    slowest = max((time[0] for row in comparison.rows if (time := mean_of(row, "seconds")) is not None), default=1.0)
    rows, measures = [], (ACC_RT.key, ACC_UT.key, SECONDS.key)
    for row in comparison.rows:
        kept, gone, time = (mean_of(row, name) for name in measures)
        if kept is None or gone is None:
            continue
        rows.append(record_of(row, measures))
        if role_of(row) == MASK:
            line = {"dash": "dot", "color": REFERENCE, "width": 2}
            figure.add_vline(x=kept[0], line=line, layer="below")
            figure.add_scatter(x=[None], y=[None], mode="lines", line=line, name="Mask")
            continue
        took = "" if time is None else f"<br>{duration(time[0])}"
        figure.add_scatter(
            x=[kept[0]],
            y=[gone[0]],
            error_x=_error(kept[1], look[row.key].colour),
            error_y=_error(gone[1], look[row.key].colour),
            name=row.label,
            mode="markers",
            cliponaxis=near,
            marker={
                "symbol": "square-open-dot" if role_of(row) == RETRAIN else look[row.key].symbol,
                "color": look[row.key].colour,
                "size": SMALL + (LARGE - SMALL) * ((time[0] if time else 0.0) / max(slowest, 1e-9)) ** 0.5,
                "opacity": 0.85,
                "line": {"width": 2 if row.needs_retain or role_of(row) else 1},
            },
            hovertemplate=f"{row.label}<br>Acc_rt %{{x:.1f}} %<br>Acc_ut %{{y:.1f}} %{took}<extra></extra>",
        )
    mask = mean_of(reference(comparison, MASK), ACC_RT.key)
    _lay_out_scatter(figure, rows, mask[0] if near and mask else None)
    note = (
        "Good is low and to the right. The size of a mark is the method's time; hollow marks needed remaining data; "
        "dots are tuned; whiskers are one standard deviation over seeds. Right of the dotted line is more than masking "
        f"alone.{failed_note(comparison.rows)}"
    )
    return Drawn(
        "compare_accuracy", "What was kept, what was forgotten", figure, _say_scatter(rows), rows, note, grading=True
    )


def _lay_out_scatter(figure: go.Figure, rows: Sequence[dict[str, Any]], corner: float | None) -> None:
    """Set the axes with room around the marks, or around a corner, and the legend beside them."""
    kept, gone = [row["acc_rt"] for row in rows] or [0, 100], [row["acc_ut"] for row in rows] or [0, 100]
    right, left = max(kept), min(kept) if corner is None else corner - CORNER
    top = max(gone) if corner is None else CORNER
    room, above = max(0.5, 0.08 * (right - left)), max(0.5, 0.08 * top)
    lay_out(
        figure,
        max(SCATTER_HEIGHT, LEGEND_HEIGHT * len(rows) + 90),
        legend={"orientation": "v", "x": 1.02, "y": 1, "xanchor": "left", "yanchor": "top", "itemsizing": "constant"},
        showlegend=True,
        dragmode="pan",
        xaxis={"title": ACC_RT.axis, "range": [left - room, right + room]},
        yaxis={"title": ACC_UT.axis, "range": [-above, top + above], "zeroline": False},
    )


def _say_scatter(rows: Sequence[dict[str, Any]]) -> str:
    """Say the scatter in words."""
    parts = [f"{row['row']} {row['acc_rt']:.1f} and {row['acc_ut']:.1f}" for row in rows]
    return f"Remaining and forgotten accuracy in percent: {'; '.join(parts) or 'nothing has come to its end yet'}."


def membership(comparison: Comparison) -> Drawn:
    """Draw for every row how many forgotten training images an attacker takes for members, against Retrain's band."""
    drawn = _against_retrain(comparison, ENTROPY.key, "forgotten images taken for members, %")
    band = "the grey band: " if reference(comparison, RETRAIN) is not None else "Retrain, which was not made here: "
    note = f"Good is near {band}what the attacker finds in a model that never saw them."
    return Drawn("compare_membership", "What an attacker still finds", *drawn, note, grading=True)


def inside(comparison: Comparison) -> Drawn:
    """Draw for every row how well a fresh linear layer finds the forgotten classes in the features."""
    drawn = _against_retrain(comparison, PROBE.key, "forgotten images that a probe finds, %")
    note = "Lower is deeper. Near the dashed line the features are those of the original: the class was only hidden."
    return Drawn("compare_probe", "What is left inside", *drawn, note, grading=True)


def _against_retrain(comparison: Comparison, name: str, title: str) -> tuple[go.Figure, str, list[dict[str, Any]]]:
    """Draw a figure of every row as a mark on one line each; return picture, words and data."""
    figure, look = go.Figure(), looks(comparison.rows)
    rows = [row for row in comparison.rows if not role_of(row) and mean_of(row, name) is not None]
    band = span(reference(comparison, RETRAIN), name)
    before = mean_of(reference(comparison, ORIGINAL), name)
    if band is not None:
        middle, half = sum(band) / 2, max(LEAST_BAND, band[1] - band[0]) / 2
        figure.add_vrect(
            x0=middle - half, x1=middle + half, fillcolor=REFERENCE, opacity=0.4, line_width=0, layer="below"
        )
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="markers",
            marker={"symbol": "square", "size": 12, "color": REFERENCE, "opacity": 0.5},
            name=f"Retrain {between(*band)}",
        )
    if before is not None:
        line = {"dash": "dash", "color": REFERENCE, "width": 2}
        figure.add_vline(x=before[0], line=line, layer="below")
        figure.add_scatter(x=[None], y=[None], mode="lines", line=line, name=f"Original {before[0]:.1f} %")
    for row in rows:
        mean, deviation = row.mean_and_deviation(name) or (0.0, None)
        figure.add_scatter(
            x=[mean],
            y=[row.label],
            error_x=_error(deviation, look[row.key].colour),
            mode="markers",
            marker={"symbol": look[row.key].symbol, "color": look[row.key].colour, "size": 11, "line": {"width": 2}},
            name=row.label,
            showlegend=False,
            cliponaxis=False,
            hovertemplate=f"{row.label}: %{{x:.1f}} %<extra></extra>",
        )
    xaxis = {"title": title, "range": [-3, 103], "dtick": 20}
    lay_out(figure, _height_of(rows) + 110, showlegend=True, xaxis=xaxis)
    labels = [row.label for row in rows]
    figure.update_yaxes(
        type="category",  # the legend's empty marks would make it a scale of numbers
        categoryorder="array",
        categoryarray=labels,
        range=[len(rows) - 0.4, -0.6],
        title=None,
        tickvals=labels,
        ticktext=[_wrapped(label) for label in labels],
    )
    records = [record_of(row, (name,)) for row in comparison.rows if mean_of(row, name) is not None]
    parts = [f"{record['row']} {record[name]:.1f}" for record in records]
    return figure, f"{title}: {'; '.join(parts) or 'nothing is known yet'}.", records


def seconds(comparison: Comparison) -> Drawn:
    """Draw the time of every method, grading not counted, as a bar with its value."""
    figure, look = go.Figure(), looks(comparison.rows)
    rows = [row for row in comparison.rows if row.method is not None and mean_of(row, "seconds") is not None]
    times = [mean[0] for row in rows if (mean := mean_of(row, "seconds")) is not None]
    stripes = ["/" if row.needs_retain else "" for row in rows]
    figure.add_bar(
        x=times,
        y=[row.label for row in rows],
        orientation="h",
        marker={
            "color": [look[row.key].colour for row in rows],
            "pattern": {"shape": stripes, "fgcolor": "white", "solidity": 0.3},
        },
        text=[duration(time) for time in times],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    xaxis = {"title": "seconds", "rangemode": "tozero"}
    lay_out(figure, _height_of(rows) + 110, margin={"r": 60}, bargap=0.35, xaxis=xaxis)
    labels = [row.label for row in rows]
    figure.update_yaxes(
        autorange="reversed",
        title=None,
        tickvals=labels,
        ticktext=[_wrapped(label) for label in labels],
    )
    parts = [f"{row.label} {time:.1f}" for row, time in zip(rows, times, strict=True)]
    alt = f"Seconds that each method took: {'; '.join(parts) or 'nothing is known yet'}."
    records = [record_of(row, ("seconds",)) for row in rows]
    note = f"The method alone, without grading, on {comparison.device}. Striped bars needed remaining data."
    return Drawn("compare_seconds", "How long it took", figure, alt, records, note)


def mean_of(row: Row | None, name: str) -> tuple[float, float | None] | None:
    """Return mean and deviation of a figure of a row."""
    return row.mean_and_deviation(name) if row is not None else None


def _wrapped(label: str) -> str:
    """Write a label in lines that leave room for the picture."""
    return "<br>".join(textwrap.wrap(label, LABEL_WIDTH))


def _height_of(rows: Sequence[Row]) -> int:
    """Return the pixels that rows take whose labels have as many lines as the longest one."""
    lines = max((_wrapped(row.label).count("<br>") for row in rows), default=0)
    return (ROW_HEIGHT + LINE_HEIGHT * lines) * len(rows)


def _error(deviation: float | None, colour: str) -> dict[str, Any] | None:
    """Return whiskers of one standard deviation; none where there is one seed."""
    if not deviation:
        return None
    return {"type": "data", "array": [deviation], "color": colour, "thickness": 1.5, "width": 4}


def record_of(row: Row, names: Sequence[str]) -> dict[str, Any]:
    """Return the figures of a row as one line of a table."""
    record: dict[str, Any] = {"row": row.label}
    for name in names:
        mean = mean_of(row, name)
        record[name], record[f"{name}_deviation"] = mean or (None, None)
    return record
