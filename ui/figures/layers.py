"""What unlearning may do to each layer, and did: protected and free directions, drift, the free gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from ui.figures.drawn import Drawn, lay_out
from ui.figures.palette import FORGOTTEN, REMAINING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Layers = Sequence[Mapping[str, Any]]

ROW_HEIGHT = 22
FREE = "rgba(128,128,128,0.18)"


def ranks(layers: Layers) -> Drawn:
    """Draw how much of each layer's input space is protected and how much is free, in percent of its dimensions.

    Args:
        layers: records with "name", "dim" and "rank".
    """
    names = [f"{layer['name']} · {layer['rank']} / {layer['dim']}" for layer in layers]
    protected = [100 * layer["rank"] / layer["dim"] for layer in layers]
    figure = go.Figure()
    shared: dict[str, Any] = {"y": names, "orientation": "h"}
    figure.add_bar(
        x=protected,
        name="protected",
        marker={"color": REMAINING},
        hovertemplate="%{y} directions protected: %{x:.0f} %<extra></extra>",
        **shared,
    )
    figure.add_bar(
        x=[100 - share for share in protected],
        name="free to move",
        marker={"color": FREE, "line": {"color": FORGOTTEN, "width": 1}},
        hovertemplate="%{y} directions protected; free: %{x:.0f} %<extra></extra>",
        **shared,
    )
    xaxis = {"title": "input dimensions, %", "range": [0, 101], "dtick": 25}
    lay_out(figure, _height(layers), barmode="stack", xaxis=xaxis, yaxis={"autorange": "reversed"})
    rows = [
        {"layer": layer["name"], "dimensions": layer["dim"], "protected": layer["rank"],
         "free": layer["dim"] - layer["rank"]} for layer in layers
    ]  # fmt: skip
    full, bare = locked_layers(layers), bare_layers(layers)
    alt = (
        f"Protected directions of {len(layers)} layers. Nothing can move in {len(full)} of them; "
        f"{len(bare)} are unprotected."
    )
    return Drawn("layers_protected", "Protected and free directions", figure, alt, rows)


def drifts(layers: Layers, top: float | None = None) -> Drawn:
    """Draw how far each layer's outputs moved: on proxies hollow, on real remaining images solid.

    Args:
        layers: records with "name", "leak", "drift_proxy", "drift_real" and maybe "captured" and "rewritten"; a layer
            that was rewritten has no point, for nothing of what it was is left.
        top: largest drift of the axis in percent, so that pictures can be compared.
    """
    names = [layer["name"] for layer in layers]
    figure = go.Figure()
    looks: dict[str, tuple[str, dict[str, Any]]] = {
        "drift_proxy": ("proxies", {"color": "rgba(0,0,0,0)", "line": {"color": REMAINING, "width": 2}}),
        "drift_real": ("real remaining images", {"color": REMAINING}),
    }
    for key, (title, marker) in looks.items():
        figure.add_scatter(
            x=[_drift(layer, key) for layer in layers],
            y=names,
            mode="markers",
            name=title,
            marker={"size": 11} | marker,
            cliponaxis=False,
            hovertemplate="%{y}: outputs moved by %{x:.2f} %<extra>" + title + "</extra>",
        )
    reach = top or largest_drift(layers)
    xaxis = {"title": "change of the layer's outputs, %", "range": [-0.03 * reach, 1.08 * reach]}
    lay_out(figure, _height(layers), xaxis=xaxis, yaxis={"autorange": "reversed", "type": "category"})
    rows = [
        {
            "layer": layer["name"],
            "leak": layer["leak"],
            "moved_percent": _percent(layer.get("moved")),
            "drift_proxies_percent": _percent(layer["drift_proxy"]),
            "drift_real_percent": _percent(layer["drift_real"]),
            "captured_percent": layer.get("captured"),
            "rewritten": bool(layer.get("rewritten")),
        }
        for layer in layers
    ]
    alt = (
        f"Change of each layer's outputs; the largest on real remaining images is {largest_drift(layers):.1f} percent."
    )
    return Drawn("layers_drift", "Drift of each layer's outputs", figure, alt, rows, grading=True)


def free_gradient(history: Sequence[Mapping[str, Any]], total: int | None = None) -> Drawn | None:
    """Draw by epoch which share of the gradient the projection lets through; None where nothing was projected.

    Args:
        history: records with "epoch" and, where it is known, "free_gradient" in [0, 1].
        total: last epoch of the axis, so that pictures can be compared.
    """
    points = [(row["epoch"], 100 * row["free_gradient"]) for row in history if row.get("free_gradient") is not None]
    if not points:
        return None
    epochs, shares = [epoch for epoch, _ in points], [share for _, share in points]
    figure = go.Figure()
    figure.add_scatter(
        x=epochs,
        y=shares,
        mode="lines+markers",
        line={"color": FORGOTTEN, "width": 3},
        hovertemplate="epoch %{x}: %{y:.1f} %<extra></extra>",
        showlegend=False,
    )
    last = total or epochs[-1]
    xaxis = {"title": "epoch", "range": [0.5, last + 0.5], "dtick": max(1, last // 10)}
    lay_out(figure, 260, xaxis=xaxis, yaxis={"title": "‖Pg‖ / ‖g‖, %", "rangemode": "tozero"})
    alt = f"Free share of the gradient by epoch, from {shares[0]:.1f} to {shares[-1]:.1f} percent."
    rows = [{"epoch": epoch, "free_gradient_percent": share} for epoch, share in points]
    return Drawn("free_gradient", "Free share of the gradient · ‖Pg‖ / ‖g‖", figure, alt, rows)


def stage_seconds(seconds: Mapping[str, float | None], titles: Mapping[str, str], top: float | None = None) -> Drawn:
    """Draw how long each stage took.

    Args:
        seconds: stage -> wall time, None for a stage that the method has not.
        titles: stage -> its name, in the order of the picture.
        top: longest time of the axis, so that pictures can be compared.
    """
    order = sorted(seconds, key=lambda stage: list(titles).index(stage) if stage in titles else 0)
    known = {titles.get(stage, stage): seconds[stage] for stage in order if seconds[stage] is not None}
    figure = go.Figure()
    figure.add_bar(
        x=list(known.values()),
        y=list(known),
        orientation="h",
        marker={"color": REMAINING},
        text=[f"{spent:.1f} s" for spent in known.values()],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.2f} s<extra></extra>",
    )
    xaxis = {"title": "seconds", "range": [0, 1.12 * (top or max(known.values(), default=1.0))]}
    lay_out(figure, 34 * len(known) + 60, xaxis=xaxis, yaxis={"autorange": "reversed"})
    alt = "Seconds per stage: " + ", ".join(f"{name} {spent:.1f}" for name, spent in known.items()) + "."
    rows = [{"stage": name, "seconds": spent} for name, spent in known.items()]
    return Drawn("seconds", "Seconds per stage, all grading together", figure, alt, rows)


def locked_layers(layers: Layers) -> list[str]:
    """Return the layers in which nothing can move: every direction is protected."""
    return [layer["name"] for layer in layers if layer["rank"] >= layer["dim"]]


def bare_layers(layers: Layers) -> list[str]:
    """Return the layers in which nothing is protected."""
    return [layer["name"] for layer in layers if layer["rank"] == 0]


def rewritten_layers(layers: Layers) -> list[str]:
    """Return the layers that were given new weights, whatever was protected there."""
    return [layer["name"] for layer in layers if layer.get("rewritten")]


def largest_drift(layers: Layers) -> float:
    """Return the largest drift in percent, on proxies or real images, of any layer that was not rewritten."""
    values = [_drift(layer, key) for layer in layers for key in ("drift_proxy", "drift_real")]
    return max([value for value in values if value is not None], default=0.0) or 1.0


def _drift(layer: Mapping[str, Any], key: str) -> float | None:
    """Return how far a layer drifted, in percent; None where that says nothing, for it was rewritten."""
    return None if layer.get("rewritten") else _percent(layer[key])


def _percent(share: float | None) -> float | None:
    """Turn a share into percent."""
    return None if share is None else 100 * share


def _height(layers: Layers) -> int:
    """Return the height of a figure with one row a layer."""
    return ROW_HEIGHT * len(layers) + 90
