"""Where a run's figures stand: before, after, and the references, on one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from ui.figures.drawn import Drawn, lay_out
from ui.figures.palette import FORGOTTEN, REFERENCE, REMAINING
from ui.shell.formatting import between

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW_HEIGHT = 44
LEAST_BAND = 1.2  # points: narrower bands would not be seen


@dataclass(frozen=True)
class Mark:
    """One figure in percent.

    Attributes:
        title: its name.
        good: which way is good.
        before: of the original model.
        after: of the unlearned model.
        mask: of the trivial reference, where there is one.
        band: least and largest value over retrained models, where there are some.
        remaining: whether it speaks of the remaining classes.
    """

    title: str
    good: str
    before: float | None
    after: float | None
    mask: float | None = None
    band: tuple[float, float] | None = None
    remaining: bool = False


def standing(marks: Sequence[Mark]) -> Drawn:
    """Draw each figure as a way from before (hollow) to after (solid), with mask (dotted) and Retrain (grey band)."""
    figure = go.Figure()
    titles = [f"{mark.title}<br><span style='font-size:0.8em'>good: {mark.good}</span>" for mark in marks]
    bands(figure, [(title, *mark.band) for mark, title in zip(marks, titles, strict=True) if mark.band])
    for mark, title in zip(marks, titles, strict=True):
        if mark.before is not None and mark.after is not None:
            line = {"color": _colour(mark), "width": 2}
            figure.add_scatter(
                x=[mark.before, mark.after], y=[title] * 2, mode="lines", line=line, showlegend=False, hoverinfo="skip"
            )
    _points(figure, marks, titles)
    lay_out(
        figure,
        ROW_HEIGHT * len(marks) + 110,
        margin={"t": 52},  # room for a legend of two lines, so that two figures stay level
        xaxis={"range": [-3, 103], "title": "%", "dtick": 20},
        yaxis={"autorange": "reversed", "categoryorder": "array", "categoryarray": titles},
    )
    rows = [
        {
            "figure": mark.title,
            "good": mark.good,
            "before_percent": mark.before,
            "after_percent": mark.after,
            "mask_percent": mark.mask,
            "retrain_low_percent": mark.band and mark.band[0],
            "retrain_high_percent": mark.band and mark.band[1],
        }
        for mark in marks
    ]
    return Drawn("figures", "Where the figures stand", figure, _describe(marks), rows, grading=True)


def bands(figure: go.Figure, found: Sequence[tuple[str, float, float]], name: str = "Retrain") -> None:
    """Draw the values of retrained models as grey bands.

    Args:
        figure: with one row a title.
        found: title of a row, least and largest value in percent.
        name: in the legend.
    """
    if not found:
        return
    widths = [max(LEAST_BAND, high - low) for _, low, high in found]
    figure.add_bar(
        y=[title for title, _, _ in found],
        base=[(low + high - width) / 2 for (_, low, high), width in zip(found, widths, strict=True)],
        x=widths,
        orientation="h",
        width=0.8,
        name=name,
        marker={"color": REFERENCE, "opacity": 0.45},
        hovertext=[f"{name} {between(low, high)}" for _, low, high in found],
        hoverinfo="text",
    )


def _points(figure: go.Figure, marks: Sequence[Mark], titles: Sequence[str]) -> None:
    """Draw the values before, after and of the mask, one trace a kind."""
    for kind in ("before", "mask", "after"):
        found = [(mark, title) for mark, title in zip(marks, titles, strict=True) if getattr(mark, kind) is not None]
        values = [getattr(mark, kind) for mark, _ in found]
        figure.add_scatter(
            x=values,
            y=[title for _, title in found],
            mode="markers",
            marker=_look(kind, [_colour(mark) for mark, _ in found]),
            name=kind,
            legendgroup=kind,
            showlegend=False,
            hovertext=[f"{mark.title}: {kind} {value:.1f} %" for (mark, _), value in zip(found, values, strict=True)],
            hoverinfo="text",
            cliponaxis=False,
        )
        if found:  # grey in the legend: colours tell the classes, not the kind
            look = _look(kind, [REFERENCE])
            figure.add_scatter(x=[None], y=titles[:1], mode="markers", marker=look, name=kind, legendgroup=kind)


def _look(kind: str, colours: Sequence[str]) -> dict[str, Any]:
    """Return how the points of a kind look: before hollow and dotted, after solid, the mask a dotted stroke."""
    if kind == "before":
        return {"size": 17, "color": "rgba(0,0,0,0)", "line": {"color": colours, "width": 1.5, "dash": "dot"}}
    if kind == "after":
        return {"size": 12, "color": colours}
    return {"size": 13, "symbol": "line-ns-open", "color": REFERENCE, "line": {"width": 3, "dash": "dot"}}


def _colour(mark: Mark) -> str:
    """Return the colour of the classes that a figure speaks of."""
    return REMAINING if mark.remaining else FORGOTTEN


def _describe(marks: Sequence[Mark]) -> str:
    """Say the figures in words."""
    parts = [
        f"{mark.title} {_say(mark.before)} before, {_say(mark.after)} after"
        + (f", Retrain {_say(sum(mark.band) / 2)}" if mark.band else "")
        for mark in marks
    ]
    return "Figures on one scale in percent. " + "; ".join(parts) + "."


def _say(value: float | None) -> str:
    """Write a figure for the ear."""
    return "unknown" if value is None else f"{value:.1f}"
