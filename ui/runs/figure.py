"""Figure of the Runs page: every run by what it kept and what it forgot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from ui.figures.drawn import lay_out
from ui.figures.markers import SYMBOLS
from ui.figures.palette import CLASSES, REFERENCE
from zspag_core.metrics.catalogue import ACC_RT, ACC_UT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ui.runs.table import RunRow

HEIGHT = 360
LEAST_SPAN = 10.0  # percent, so that equal runs do not fill the whole axis with rounding
EDGE = 0.03  # of the axis, so that marks at 0 and 100 % are whole


def runs_figure(rows: Sequence[RunRow], letters: Mapping[str, str]) -> go.Figure:
    """Draw Acc_ut against Acc_rt, one mark a finished run, one colour and shape a method.

    Args:
        rows: the runs in the table; those without figures are left out.
        letters: "A" or "B" by the id of a run that is looked at.
    """
    done = [row for row in rows if row.acc_rt is not None and row.acc_ut is not None]
    figure = go.Figure()
    for place, method in enumerate(dict.fromkeys(row.method for row in reversed(done))):
        own = [row for row in done if row.method == method]
        figure.add_scatter(
            x=[row.acc_rt for row in own],
            y=[row.acc_ut for row in own],
            name=method,
            mode="markers+text",
            text=[letters.get(row.job.id, "") for row in own],
            textposition="middle right",
            cliponaxis=False,
            textfont={"size": 16},
            marker={
                "size": 12,
                "color": CLASSES[place % len(CLASSES)],
                "symbol": SYMBOLS[place % len(SYMBOLS)],
                "line": {"width": 1, "color": "white"},
            },
            customdata=[[row.job.id, row.line] for row in own],
            hovertemplate="%{customdata[1]}<br>Acc_rt %{x:.1f} %, Acc_ut %{y:.1f} %<extra></extra>",
        )
    kept = [row.acc_rt for row in done if row.acc_rt is not None]
    forgotten = [row.acc_ut for row in done if row.acc_ut is not None]
    _lay_out(figure, _around(kept), _around([0.0, *forgotten]))
    return figure


def describe_runs(rows: Sequence[RunRow]) -> str:
    """Say in a sentence what the figure shows."""
    done = [row for row in rows if row.acc_rt is not None and row.acc_ut is not None]
    if not done:
        return "Forgotten against remaining accuracy: no run has ended yet."
    best = min(done, key=lambda row: (row.acc_ut or 0.0) - (row.acc_rt or 0.0))
    return (
        f"Forgotten against remaining accuracy of {len(done)} runs. Best kept and forgotten: {best.line}, Acc_rt "
        f"{best.acc_rt:.1f} percent, Acc_ut {best.acc_ut:.1f} percent."
    )


def _around(values: Sequence[float]) -> tuple[float, float]:
    """Return an axis with room around its values, within 0 to 100 %; one run alone gets an axis of sensible length."""
    low, high = (min(values), max(values)) if values else (0.0, 100.0)
    span = min(100.0, max(LEAST_SPAN, 1.15 * (high - low)))
    start = min(max(0.0, (low + high - span) / 2), 100.0 - span)
    return start - EDGE * span, start + span + EDGE * span


def _lay_out(figure: go.Figure, kept: tuple[float, float], forgotten: tuple[float, float]) -> None:
    """Set the axes, and say which way is good."""
    xaxis, yaxis = ({"title": one.axis, "range": span} for one, span in ((ACC_RT, kept), (ACC_UT, forgotten)))
    lay_out(figure, HEIGHT, showlegend=True, dragmode="pan", xaxis=xaxis, yaxis=yaxis)
    figure.add_annotation(
        text="better ↘",
        x=1,
        y=0.55,  # runs end at the top, with the class kept, or at the bottom
        xref="paper",
        yref="paper",
        xanchor="right",
        yanchor="middle",
        showarrow=False,
        font={"color": REFERENCE},
    )
