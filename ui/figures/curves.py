"""A figure of lines by epoch in plain numbers, for what draws it without plotly."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import plotly.graph_objects as go

FONT, HEIGHT = 14, 450
"""Pixels of the type, as in Streamlit's figures, and plotly's height of a figure that does not say it."""
STEPS = (1.0, 2.0, 5.0, 10.0)
ROOM = 0.08
"""Share of a scale beyond its values."""
MOST_TICKS = 5


def curves_of(figure: go.Figure) -> dict[str, Any]:
    """Return what a figure of lines shows.

    Args:
        figure: of scatter traces and horizontal lines, in rows that share the horizontal axis, whose range and step
            are given; a vertical axis without a range begins at 0.

    Returns:
        Height and type in pixels, whether there is a legend, the words of an empty figure, the axis "across" (ends,
        ticks, title) and the "panels" from above: where they begin and end (shares of the height), their ends, ticks,
        title, "lines" (name, colour, dash, width, points) and "levels" (height, colour, dash, width, words, and
        whether these stand above).
    """
    spec = figure.to_dict()
    layout = spec["layout"]
    names = sorted((key for key in layout if key.startswith("yaxis")), key=lambda key: int(key[5:] or 1))
    across = layout["xaxis" + names[-1][5:]]
    low, high = across["range"]
    step = across["dtick"]
    notes = layout.get("annotations", ())
    return {
        "height": layout.get("height", HEIGHT),
        "font": layout.get("font", {}).get("size", FONT),
        "legend": layout.get("showlegend", len(spec["data"]) > 1),
        "empty": next((note["text"] for note in notes if note.get("xref") == "paper"), ""),
        "across": {
            "low": low,
            "high": high,
            "ticks": _labelled(step * k for k in range(math.ceil(low / step), math.floor(high / step) + 1)),
            "title": _title(across),
        },
        "panels": [_panel(spec["data"], layout, name) for name in names],
    }


def _panel(traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what one vertical axis shows."""
    axis, reference = layout[name], name.replace("axis", "")
    lines = [_line(trace) for trace in traces if trace.get("yaxis", "y") == reference]
    shapes = [shape for shape in layout.get("shapes", ()) if shape["yref"] == reference]
    notes = [note for note in layout.get("annotations", ()) if note.get("yref") == reference]
    low, high = axis.get("range") or _from_zero([y for line in lines for _, y in line["points"]])
    bottom, top = axis.get("domain", (0.0, 1.0))
    return {
        "top": 1 - top,
        "bottom": 1 - bottom,
        "low": low,
        "high": high,
        "ticks": _labelled(axis.get("tickvals") or _round_numbers(low, high)),
        "title": _title(axis),
        "lines": lines,
        "levels": [_level(shape, notes) for shape in shapes],
    }


def _line(trace: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trace in plain numbers, without what cannot be drawn: a loss that left all bounds."""
    points = [[float(x), float(y)] for x, y in zip(trace["x"], trace["y"], strict=True) if math.isfinite(y)]
    return {"name": trace["name"], "points": points, **_stroke(trace["line"])}


def _level(shape: Mapping[str, Any], notes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a horizontal line, with the words at it."""
    at = float(shape["y0"])
    beside: Mapping[str, Any] = next((note for note in notes if note["y"] == at), {})
    words = {"text": beside.get("text", ""), "above": beside.get("yanchor") == "bottom"}
    return {"y": at, **words, **_stroke(shape["line"])}


def _stroke(line: Mapping[str, Any]) -> dict[str, Any]:
    return {"colour": line["color"], "width": line["width"], "dash": line.get("dash", "solid")}


def _title(axis: Mapping[str, Any]) -> str:
    return str(axis.get("title", {}).get("text") or "")


def _from_zero(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of a scale from 0 to some values, or down to them."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    low, high = min(0.0, low), max(0.0, high)
    room = ROOM * (high - low) or 1.0
    return low - room * (low < 0), high + room * (high > 0 or low == high)


def _round_numbers(low: float, high: float) -> list[float]:
    """Return few round numbers between the ends of a scale."""
    least = (high - low) / MOST_TICKS
    unit = 10 ** math.floor(math.log10(least))
    step = next(step * unit for step in STEPS if step * unit >= least)
    return [step * k for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _labelled(ticks: Iterable[float]) -> list[list[Any]]:
    """Return each tick with its words."""
    return [[tick, f"{tick:.6g}".replace("-", "\N{MINUS SIGN}")] for tick in ticks]
