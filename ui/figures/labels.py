"""What the forget samples were taught to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from ui.figures.confusion import DRAWN
from ui.figures.drawn import SHADES, Drawn, lay_out, slanted, tick_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

HELPS_OR_HURTS = [[0.0, "#2166AC"], [0.5, "#F4F4F4"], [1.0, "#B2182B"]]
WRITTEN = 12


def taught_classes(taught: Array, limit: int = DRAWN) -> list[int]:
    """Return the classes that a picture shows, ascending: all if few, else those that are taught most.

    Args:
        taught: (F, K) mean label of each forgotten class.
        limit: how many classes fit.
    """
    count = taught.shape[1]
    if count <= limit:
        return list(range(count))
    weight = np.nan_to_num(taught).sum(axis=0)
    return sorted(np.argsort(-weight, kind="stable")[:limit].tolist())


def taught_labels(taught: Array, names: Sequence[str], forget: Sequence[int], drawn: Sequence[int]) -> Drawn:
    """Draw what each forgotten class was taught to be, on average over its samples.

    Args:
        taught: (F, K) mean label of each forgotten class, rows in the order of `forget`, sums 1.
        names: one name per class.
        forget: the forgotten classes.
        drawn: the classes that the picture shows.
    """
    shares = 100 * taught[:, drawn]
    figure = _heat(shares, names, forget, drawn, "%{y} is taught to be %{x}: %{z:.1f} %")
    figure.update_traces(colorscale=SHADES, zmin=0, zmax=100, colorbar={"title": "%", "thickness": 10})
    best = [(names[k], names[int(np.nan_to_num(row).argmax())]) for k, row in zip(forget, taught, strict=True)]
    alt = "Mean label of each forgotten class: " + "; ".join(f"{a} mostly becomes {b}" for a, b in best) + "."
    rows = _rows(100 * taught, names, forget, "mean_label_percent")
    note = f"The classes that are taught most, {len(drawn)} of {len(names)}." if len(drawn) < len(names) else ""
    return Drawn("labels", "What the forgotten classes were taught to be", figure, alt, rows, note)


def label_influence(influences: Array, names: Sequence[str], forget: Sequence[int], drawn: Sequence[int]) -> Drawn:
    """Draw what teaching each label is predicted to do to the loss of the proxies.

    Args:
        influences: (F, K) mean influence of each forgotten class, in nats: how far the loss of the proxies would
            fall, to first order, if its samples were trained on as class k.
        names: one name per class.
        forget: the forgotten classes.
        drawn: the classes that the picture shows.
    """
    change = -influences
    part = change[:, drawn]
    figure = _heat(part, names, forget, drawn, "%{y} taught as %{x}: %{z:.3g} nats", digits=2)
    reach = float(np.nanmax(np.abs(part), initial=0.0)) or 1.0
    figure.update_traces(
        colorscale=HELPS_OR_HURTS, zmin=-reach, zmax=reach, colorbar={"title": "nats", "thickness": 10}
    )
    alt = "Predicted change of the proxies' loss for every label that a forgotten class could be taught."
    rows = _rows(change, names, forget, "predicted_loss_change_nats")
    return Drawn("label_influence", "Influence of each label", figure, alt, rows)


def _heat(
    values: Array, names: Sequence[str], forget: Sequence[int], drawn: Sequence[int], hover: str, digits: int = 0
) -> go.Figure:
    """Draw a row for every forgotten class and a column for every label."""
    figure = go.Figure()
    few = len(drawn) <= WRITTEN
    text = [["" if np.isnan(v) or (not digits and v < 0.5) else _number(float(v), digits) for v in row]
            for row in values]  # fmt: skip
    figure.add_heatmap(
        z=[[None if np.isnan(v) else float(v) for v in row] for row in values],
        x=tick_names(names, drawn, forget),
        y=tick_names(names, list(forget), forget),
        xgap=1,
        ygap=1,
        hovertemplate=hover + "<extra></extra>",
        text=text if few else None,
        texttemplate="%{text}" if few else None,
        showscale=not few,
    )
    both = {"type": "category", "showgrid": False}
    xaxis = both | {"title": "label", "tickangle": -45 if slanted(names, drawn) else 0}
    yaxis = both | {"title": "forgotten class", "autorange": "reversed"}
    lay_out(figure, 44 * len(forget) + 110, xaxis=xaxis, yaxis=yaxis)
    return figure


def _number(value: float, digits: int) -> str:
    """Write a cell: whole percent, or a few digits of a small number."""
    return f"{value:.{digits}g}".replace("-", "−") if digits else f"{value:.0f}"


def _rows(values: Array, names: Sequence[str], forget: Sequence[int], title: str) -> list[dict[str, Any]]:
    """Return one record for every forgotten class and label."""
    return [
        {"forgotten": names[k], "label": names[j], title: None if np.isnan(value) else float(value)}
        for k, row in zip(forget, values, strict=True)
        for j, value in enumerate(row)
    ]
