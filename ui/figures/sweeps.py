"""What a setting that is swept does: one line an arm of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from ui.figures.compare import failed_note, mean_of, record_of
from ui.figures.drawn import Drawn, lay_out
from ui.figures.lines import ACCURACIES, ATTACKS
from ui.shell.words import knob_label, levels_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.reproduce.comparison import Comparison, Row

SWEPT = ("epsilon", "n_adv")
HEIGHT = 320
LEAST_SWEEP = 3
DASHES = ("solid", "dash", "dot", "dashdot")
LINES = (*ACCURACIES, ATTACKS)


def sweeps(comparison: Comparison) -> list[Drawn]:
    """Return a figure for every setting that is swept: rows that differ in nothing else make a line."""
    return [
        _sweep(knob, arms, failed_note([row for row in comparison.rows if knob in row.settings]).strip())
        for knob in SWEPT
        if (arms := _arms(comparison, knob))
    ]


def _arms(comparison: Comparison, knob: str) -> list[list[Row]]:
    """Return the rows that differ in one setting alone, sorted by it; arms of fewer than three values are left out."""
    arms: dict[tuple[str, str], list[Row]] = {}
    for row in comparison.rows:
        if knob in row.settings and mean_of(row, "acc_rt") is not None:
            rest = repr(sorted((name, value) for name, value in row.settings.items() if name != knob))
            arms.setdefault((str(row.method), rest), []).append(row)
    swept = [rows for rows in arms.values() if len({row.settings[knob] for row in rows}) >= LEAST_SWEEP]
    return [sorted(rows, key=lambda row: float(row.settings[knob])) for rows in swept]


def _sweep(knob: str, arms: Sequence[Sequence[Row]], note: str) -> Drawn:
    """Draw accuracies, and the success of the attack, against one setting."""
    figure, records = go.Figure(), []
    for place, rows in enumerate(arms):
        arm = rows[0].label.partition(",")[0]
        records += [record_of(row, [name for name, _, _ in LINES]) | {knob: row.settings[knob]} for row in rows]
        for name, title, colour in LINES if place == 0 else ACCURACIES:  # attacks are the same in every arm
            points = [(row, mean) for row in rows if (mean := mean_of(row, name)) is not None]
            figure.add_scatter(
                x=[_written(knob, row.settings[knob]) for row, _ in points],
                y=[mean for _, (mean, _) in points],
                error_y={"type": "data", "array": [deviation or 0.0 for _, (_, deviation) in points], "thickness": 1},
                mode="lines+markers",
                name=f"{title} · {arm}" if len(arms) > 1 and name != ATTACKS[0] else title,
                line={"color": colour, "dash": DASHES[place % len(DASHES)]},
                hovertemplate="%{x}: %{y:.1f} %<extra>" + arm + "</extra>",
            )
    xaxis = {"title": knob_label(knob), "type": "category"}
    lay_out(figure, HEIGHT, xaxis=xaxis, yaxis={"title": "%", "range": [-3, 104]})
    said = "; ".join(f"{row['row']} {row['acc_rt']:.1f} and {row['acc_ut']:.1f}" for row in records)
    alt = f"Remaining and forgotten accuracy in percent by {knob_label(knob)}: {said}."
    return Drawn(f"compare_{knob}", f"What {knob_label(knob)} does", figure, alt, records, note, grading=True)


def _written(knob: str, value: float) -> str:
    """Write a value of a swept setting."""
    return levels_text(value) if knob == "epsilon" else f"{value:g}"
