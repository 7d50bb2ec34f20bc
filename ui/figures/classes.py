"""Accuracy of each class, and what is taken for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ui.figures.drawn import SHADES, Drawn, lay_out, name_ticks, slanted, tick_names
from ui.figures.palette import FORGOTTEN, REMAINING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

HEIGHT = 300
ROOM_FOR_NAMES = 60  # pixels that slanted names take from the picture
WRITTEN = 12  # up to so many classes have their shares written into the cells
HALF = 0.4  # half the width of a bar


def accuracy_by_class(
    before: Sequence[float | None],
    after: Sequence[float | None] | None,
    names: Sequence[str],
    forget: Sequence[int],
    drawn: Sequence[int],
) -> Drawn:
    """Draw the accuracy of classes: before as a dashed outline, after solid, the forgotten orange.

    Args:
        before: one value per class in percent, None where there are no images.
        after: the same for the unlearned model; None for a run that was stopped.
        names: one name per class.
        forget: the forgotten classes.
        drawn: the classes that the picture shows; the rows hold all.
    """
    figure = go.Figure()
    if after is not None:
        for title, kind, colour in (("remaining, after", False, REMAINING), ("forgotten, after", True, FORGOTTEN)):
            places = [place for place, k in enumerate(drawn) if (k in forget) == kind]
            figure.add_bar(
                x=places,
                y=[after[drawn[place]] for place in places],
                name=title,
                width=2 * HALF,
                marker={"color": colour},
                hovertext=[_hover(names, before, after, drawn[place]) for place in places],
                hoverinfo="text",
            )
    x, y = _outlines([before[k] for k in drawn])
    figure.add_scatter(
        x=x, y=y, mode="lines", name="before", line={"color": "#7A7A7A", "width": 1.5, "dash": "dash"}, hoverinfo="skip"
    )
    height = HEIGHT + (ROOM_FOR_NAMES if slanted(names, drawn) else 0)
    lay_out(figure, height, barmode="overlay", bargap=0.2, yaxis={"title": "right, %", "range": [0, 104]})
    figure.update_xaxes(title="class", range=[-0.6, len(drawn) - 0.4], **name_ticks(names, drawn, forget))
    some = len(drawn) < len(names)
    return Drawn(
        "accuracy_by_class",
        "Accuracy of each class",
        figure,
        _describe_bars(before, after, names, forget),
        [
            {
                "class": k,
                "name": names[k],
                "forgotten": k in forget,
                "before_percent": before[k],
                "after_percent": None if after is None else after[k],
            }
            for k in range(len(names))
        ],
        f"The forgotten classes and those that changed most, {len(drawn)} of {len(names)}." if some else "",
        grading=True,
    )


def predictions(
    matrices: Mapping[str, Array], names: Sequence[str], forget: Sequence[int], drawn: Sequence[int], *, stacked: bool
) -> Drawn:
    """Draw what is taken for what, before and after beside each other, or one under the other.

    Args:
        matrices: "before" and, for a run that ended well, "after": (K, K), row = truth, in percent of the row.
        names: one name per class.
        forget: the forgotten classes.
        drawn: the classes that the picture shows; the rows hold all pairs that occur.
        stacked: whether after stands under before.
    """
    count, titles = len(matrices), list(matrices)
    rows, columns = (count, 1) if stacked else (1, count)
    figure = make_subplots(rows, columns, subplot_titles=titles, horizontal_spacing=0.05, vertical_spacing=0.2)
    for place, matrix in enumerate(matrices.values()):
        part = matrix[np.ix_(drawn, drawn)]
        figure.add_heatmap(
            z=_plain(part),
            coloraxis="coloraxis",
            xgap=1,
            ygap=1,
            customdata=[[[names[i], names[j]] for j in drawn] for i in drawn],
            hovertemplate="%{customdata[0]} is read as %{customdata[1]}: %{z:.1f} %<extra></extra>",
            text=_written(part) if len(drawn) <= WRITTEN else None,
            texttemplate="%{text}" if len(drawn) <= WRITTEN else None,
            row=place + 1 if stacked else 1,
            col=1 if stacked else place + 1,
        )
    figure.update_xaxes(title="read as", showgrid=False, **name_ticks(names, drawn, forget))
    ticks = {"tickvals": list(range(len(drawn))), "ticktext": tick_names(names, drawn, forget)}
    figure.update_yaxes(autorange="reversed", showgrid=False, zeroline=False, showticklabels=False, **ticks)
    figure.update_yaxes(title="class", showticklabels=True, automargin=True, col=1)
    shades = {"colorscale": SHADES, "cmin": 0, "cmax": 100, "colorbar": {"title": "%", "thickness": 10}}
    lay_out(figure, 400 * (count if stacked else 1), coloraxis=shades, margin={"t": 28})
    some = len(drawn) < len(names)
    return Drawn(
        "predictions",
        "What is read as what",
        figure,
        _describe_matrices(matrices, names, forget),
        _pairs(matrices, names),
        f"The forgotten classes and the most confused, {len(drawn)} of {len(names)}; shares are of all images of "
        "the class." if some else "",
        grading=True,
    )  # fmt: skip


def _outlines(heights: Sequence[float | None]) -> tuple[list[float | None], list[float | None]]:
    """Return the corners of open boxes of these heights, with gaps between them."""
    x: list[float | None] = []
    y: list[float | None] = []
    for place, height in enumerate(heights):
        if height is not None:
            x += [place - HALF, place - HALF, place + HALF, place + HALF, None]
            y += [0.0, height, height, 0.0, None]
    return x, y


def _hover(names: Sequence[str], before: Sequence[float | None], after: Sequence[float | None], label: int) -> str:
    """Say a class's figures."""
    then, now = (("unknown" if part[label] is None else f"{part[label]:.1f} %") for part in (before, after))
    return f"{names[label]}: before {then}, after {now}"


def _plain(matrix: Array) -> list[list[float | None]]:
    """Return a matrix as lists, None for what is not a number."""
    return [[None if np.isnan(value) else round(float(value), 3) for value in row] for row in matrix]


def _written(matrix: Array) -> list[list[str]]:
    """Return what stands in the cells: whole percent, nothing where it rounds to zero."""
    return [["" if np.isnan(value) or value < 0.5 else f"{value:.0f}" for value in row] for row in matrix]


def _pairs(matrices: Mapping[str, Array], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return one record for every pair that occurs before or after."""
    occurs = np.nan_to_num(np.stack(list(matrices.values()))).sum(axis=0) > 0
    return [
        {"class": names[i], "read_as": names[j]}
        | {f"{when}_percent": float(np.nan_to_num(matrix[i, j])) for when, matrix in matrices.items()}
        for i, j in zip(*np.nonzero(occurs), strict=True)
    ]


def _describe_bars(
    before: Sequence[float | None], after: Sequence[float | None] | None, names: Sequence[str], forget: Sequence[int]
) -> str:
    """Say what the bars show."""
    if after is None:
        return "Accuracy of each class of the original model; the run was stopped before it was graded again."
    return "Accuracy of each class. Forgotten: " + "; ".join(_hover(names, before, after, k) for k in forget) + "."


def _describe_matrices(matrices: Mapping[str, Array], names: Sequence[str], forget: Sequence[int]) -> str:
    """Say what forgotten images are taken for."""
    last = list(matrices)[-1]
    parts = []
    for k in forget:
        row = np.nan_to_num(matrices[last][k])
        best = int(row.argmax())
        parts.append(f"{names[k]} is most often read as {names[best]} ({row[best]:.0f} percent)")
    return f"Matrix of true class against answer. {last.capitalize()}: " + "; ".join(parts) + "."
