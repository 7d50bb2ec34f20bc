"""Figures of the Proxies page: the map, coverage per class, captured energy per layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from ui.figures.drawn import lay_out
from ui.figures.palette import COLOURED, REFERENCE, class_colours
from ui.figures.palette import FORGOTTEN as ORANGE
from ui.figures.palette import PROXY as VIOLET
from ui.figures.palette import REMAINING as BLUE_GREY
from ui.figures.pictures import SHEET_COLUMNS
from ui.figures.points import FORGOTTEN, PROXY, REMAINING, describe_points, nearest_classes, tops
from ui.scatter import DIAMOND, DOT, RING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ui.figures.points import Cloud, Span

MARKS = {REMAINING: DOT, FORGOTTEN: DIAMOND, PROXY: RING}
KINDS = {REMAINING: "real, remaining class", FORGOTTEN: "real, forgotten class", PROXY: "proxy"}
MAP_HEIGHT = 540
CHART_HEIGHT = 210
LAYER_PIXELS = 20


def map_spec(
    cloud: Cloud,
    names: Sequence[str],
    forgotten: Collection[int],
    *,
    when: str,
    colour_by: str,
    span: Span,
    pictures: str,
    highlight: int | None = None,
    height: int = MAP_HEIGHT,
) -> dict[str, Any]:
    """Return what the map component draws.

    Args:
        cloud: the points.
        names: one name per class.
        forgotten: the forgotten classes.
        when: "before" or "after".
        colour_by: "class" or "kind".
        span: ends of the axes; the same for all maps that are compared.
        pictures: all images of the cloud on one sheet, as a data URL.
        highlight: a class that gets a colour although there are many.
        height: in pixels.
    """
    places = cloud.before if when == "before" else cloud.after
    texts, text = np.unique(describe_points(cloud, names), return_inverse=True)
    colours = _kind_colours() if colour_by == "kind" else _class_colours(cloud, names, forgotten, highlight)
    index = cloud.kinds if colour_by == "kind" else cloud.labels
    return {
        "x": _short(places[:, 0]),
        "y": _short(places[:, 1]),
        "span": list(span),
        "mark": [MARKS[kind] for kind in cloud.kinds.tolist()],
        "colour": index.tolist(),
        "colours": colours,
        "text": text.tolist(),
        "texts": texts.tolist(),
        "names": _names(cloud, places, names, forgotten, colours, colour_by),
        "legend": _legend(cloud, names, forgotten, colours, colour_by),
        "sheet": pictures,
        "cell": [cloud.images.shape[3], cloud.images.shape[2]],
        "columns": SHEET_COLUMNS,
        "height": height,
        "alt": describe_map(cloud, names, forgotten, when),
    }


def describe_map(cloud: Cloud, names: Sequence[str], forgotten: Collection[int], when: str) -> str:
    """Say in a sentence or two what the map shows."""
    count = {kind: int((cloud.kinds == kind).sum()) for kind in KINDS}
    model = "original" if when == "before" else "unlearned"
    gone = ", ".join(names[k] for k in sorted(forgotten))
    return (
        f"Map of the {model} model's features: {count[REMAINING]} real images of remaining classes, "
        f"{count[FORGOTTEN]} of forgotten classes ({gone}), {count[PROXY]} proxies. Arrow keys walk from point to "
        "point, Enter selects, Escape lets go."
    )


def coverage_figure(per_class: Mapping[str, int], n_adv: int, names: Sequence[str]) -> go.Figure:
    """Draw the number of proxies of every remaining class against the limit.

    Args:
        per_class: class as text -> number of proxies.
        n_adv: the limit.
        names: one name per class.
    """
    order = sorted(per_class, key=int) if len(per_class) <= COLOURED else sorted(per_class, key=lambda k: per_class[k])
    counts = [per_class[k] for k in order]
    labels = [names[int(k)] for k in order]
    figure = go.Figure()
    figure.add_bar(
        x=list(range(len(order))),
        y=counts,
        customdata=labels,
        marker={"color": [ORANGE if count == 0 else BLUE_GREY for count in counts]},
        hovertemplate="%{customdata}: %{y} proxies<extra></extra>",
    )
    figure.add_hline(
        y=n_adv,
        line={"color": REFERENCE, "width": 1.5, "dash": "dot"},
        annotation={"text": f"limit n_adv = {n_adv}", "font": {"color": REFERENCE}},
        annotation_position="top left",
    )
    yaxis = {"title": "proxies", "range": [0, 1.18 * max([n_adv, *counts])]}
    lay_out(figure, CHART_HEIGHT, showlegend=False, yaxis=yaxis)
    if len(order) <= COLOURED:
        figure.update_xaxes(tickvals=list(range(len(order))), ticktext=labels)
    else:
        figure.update_xaxes(showticklabels=False, title="remaining classes, fewest proxies first")
    return figure


def describe_coverage(per_class: Mapping[str, int], n_adv: int, names: Sequence[str]) -> str:
    """Say in a sentence which classes have their proxies."""
    full = sum(count >= n_adv for count in per_class.values())
    bare = [names[int(k)] for k, count in per_class.items() if count == 0]
    limit = f"{full} of {len(per_class)} reach the limit, n_adv = {n_adv}"
    if bare:
        return f"Without any proxy, so not protected: {', '.join(bare)}; {limit}."
    return f"Every remaining class has at least {min(per_class.values(), default=0)} proxies; {limit}."


def energy_figure(layers: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Draw, layer by layer, how much of the real remaining images' input energy the proxies' subspace captures.

    Args:
        layers: records with "name", "dim", "rank" and "captured" in percent, from the input of the model on.
    """
    shown = [layer for layer in layers if layer.get("captured") is not None]
    figure = go.Figure()
    figure.add_bar(
        x=[layer["captured"] for layer in shown],
        y=[layer["name"] for layer in shown],
        orientation="h",
        marker={"color": BLUE_GREY},
        customdata=[[layer["rank"], layer["dim"]] for layer in shown],
        hovertemplate="%{y}<br>%{x:.1f} % captured by %{customdata[0]} of %{customdata[1]} directions<extra></extra>",
    )
    height = 40 + LAYER_PIXELS * max(1, len(shown))
    xaxis = {"range": [0, 101], "title": "% of energy", "tickvals": [0, 50, 100]}
    yaxis = {"autorange": "reversed", "type": "category", "tickfont": {"size": 11}}
    lay_out(figure, height, showlegend=False, xaxis=xaxis, yaxis=yaxis)
    return figure


def describe_energy(layers: Sequence[Mapping[str, Any]]) -> str:
    """Say in a sentence where the proxies' subspace captures most and least."""
    shown = [layer for layer in layers if layer.get("captured") is not None]
    if not shown:
        return "Captured energy per layer: not measured for this run."
    least = min(shown, key=lambda layer: float(layer["captured"]))
    most = max(shown, key=lambda layer: float(layer["captured"]))
    return (
        f"Captured energy per layer: least in {least['name']} ({least['captured']:.1f} percent), "
        f"most in {most['name']} ({most['captured']:.1f} percent)."
    )


def _short(values: Any) -> list[float]:  # noqa: ANN401 - an array of any float type
    """Return coordinates with the precision that a screen can show."""
    return [float(f"{value:.4g}") for value in np.nan_to_num(values).tolist()]


def _kind_colours() -> list[str]:
    """Return the colours of the kinds."""
    colours = {REMAINING: BLUE_GREY, FORGOTTEN: ORANGE, PROXY: VIOLET}
    return [colours[kind] for kind in sorted(colours)]


def _class_colours(cloud: Cloud, names: Sequence[str], forgotten: Collection[int], highlight: int | None) -> list[str]:
    """Return the colours of the classes; of many classes, those near the forgotten ones and the highlighted one."""
    lit = nearest_classes(cloud, forgotten) if len(names) > COLOURED else []
    return class_colours(len(names), forgotten, lit + ([highlight] if highlight is not None else []))


def _names(
    cloud: Cloud,
    places: Any,  # noqa: ANN401 - an array of any float type
    names: Sequence[str],
    forgotten: Collection[int],
    colours: Sequence[str],
    colour_by: str,
) -> list[dict[str, Any]]:
    """Return the class names that are written on the map: all of a few, of many those that have a colour."""
    few = len(names) <= COLOURED
    shown = {
        k: place
        for k, place in tops(cloud, places).items()
        if few or k in forgotten or (colour_by == "class" and colours[k] != BLUE_GREY)
    }
    return [{"text": names[k], "x": place[0], "y": place[1]} for k, place in shown.items()]


def _legend(
    cloud: Cloud, names: Sequence[str], forgotten: Collection[int], colours: Sequence[str], colour_by: str
) -> list[dict[str, Any]]:
    """Return the entries of the legend; pressing one shows its points alone."""
    kinds = [kind for kind in KINDS if (cloud.kinds == kind).any()]
    if colour_by == "kind":
        return [{"text": KINDS[kind], "colour": colours[kind], "group": kind, "mark": MARKS[kind]} for kind in kinds]
    shapes = [{"text": KINDS[kind], "colour": None, "group": None, "mark": MARKS[kind]} for kind in kinds]
    present = [k for k in range(len(names)) if k in forgotten or colours[k] != BLUE_GREY]
    return shapes + [
        {"text": names[k], "colour": colours[k], "group": k, "mark": None}
        for k in sorted(present, key=lambda k: (k not in forgotten, k))
    ]
