"""The paper's figures 2 to 5 as plotly figures; plotly is imported only here and only when one is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.errors import UsageError
from zspag_core.files import replace_file
from zspag_core.metrics.catalogue import ENTROPY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zspag_core.reproduce.comparison import Comparison, Row

FORGOTTEN, REMAINING, REFERENCE, PROXY = "#D9640F", "#0072B2", "#8C8C8C", "#7B61C4"
BAND = 5.0
"""Half the width, in points, of the region that counts as near Retrain, where Retrain's own deviation is smaller."""
HEAT = "Inferno"
BAR_HEIGHT = 20
KINDS = {"reference": REFERENCE, "ZS-PAG": FORGOTTEN, "zero-shot": REMAINING, "with remaining data": PROXY}
"""What the colours of figure 2 mean."""
Figure = Any  # of plotly, which is imported late


def draw_membership(comparisons: Sequence[Comparison]) -> Figure:
    """Draw figure 2: membership inference of every method, with the region near Retrain shaded."""
    subplots, go = _plotly()
    drawn = [[row for row in one.rows if row.mean_and_deviation(ENTROPY.key) is not None] for one in comparisons]
    figure = subplots.make_subplots(
        rows=len(comparisons),
        cols=1,
        subplot_titles=[one.title for one in comparisons],
        row_heights=[max(len(rows), 1) for rows in drawn],
        vertical_spacing=0.15 / max(len(comparisons), 1),
    )
    in_legend: set[str] = set()
    for place, (comparison, rows) in enumerate(zip(comparisons, drawn, strict=True), start=1):
        for words, colour in KINDS.items():
            mine = [row for row in rows if _colour(row) == colour]
            found = [row.mean_and_deviation(ENTROPY.key) or (0.0, None) for row in mine]
            figure.add_trace(
                go.Bar(
                    orientation="h",
                    x=[mean for mean, _ in found],
                    y=[_name(row) for row in mine],
                    error_x={"array": [deviation or 0.0 for _, deviation in found]},
                    marker_color=colour,
                    name=words,
                    legendgroup=words,
                    showlegend=bool(mine) and words not in in_legend,
                ),
                row=place,
                col=1,
            )
            in_legend |= {words} if mine else set()
        retrain = comparison.row("retrain")
        band = None if retrain is None else retrain.mean_and_deviation(ENTROPY.key)
        if band is not None:
            half = max(BAND, band[1] or 0.0)
            shade = {"fillcolor": REFERENCE, "opacity": 0.25, "line_width": 0, "layer": "below"}
            figure.add_vrect(x0=band[0] - half, x1=band[0] + half, **shade, row=place, col=1)
        order = [_name(row) for row in reversed(rows)]
        figure.update_yaxes(categoryorder="array", categoryarray=order, dtick=1, row=place, col=1)
    figure.update_xaxes(range=[0, 100])
    figure.update_xaxes(title_text="forgotten training images judged members, %", row=len(comparisons), col=1)
    height = 240 + sum(BAR_HEIGHT * len(rows) + 60 for rows in drawn)
    at_top = {"yref": "container", "yanchor": "top"}
    figure.update_layout(
        title={"text": "Figure 2: membership inference; shaded: near Retrain", "y": 1 - 20 / height} | at_top,
        template="plotly_white",
        width=1000,
        height=height,
        margin={"t": 140},
        legend={"orientation": "h", "y": 1 - 55 / height} | at_top,
    )
    return figure


def draw_attention(title: str, record: Mapping[str, Any]) -> Figure:
    """Draw figure 3: what original and unlearned model look at, on one common scale."""
    subplots, go = _plotly()
    names, count = record["class_names"], len(record["labels"])
    heads = ["image", "original", "unlearned", "unlearned, class it reads"]
    columns = [record["before"], record["after"], record["after_predicted"]]
    most = max((value for part in columns for picture in part for line in picture for value in line), default=0.0)
    figure = subplots.make_subplots(
        rows=count,
        cols=4,
        column_titles=heads,
        row_titles=[names[label] for label in record["labels"]],
        horizontal_spacing=0.02,
        vertical_spacing=0.03,
    )
    for place in range(count):
        figure.add_trace(go.Image(z=_as_rgb(record["images"][place])), row=place + 1, col=1)
        for col, part in enumerate(columns, start=2):
            heat = go.Heatmap(z=part[place], zmin=0, zmax=most or 1.0, colorscale=HEAT, showscale=False)
            figure.add_trace(heat, row=place + 1, col=col)
            figure.update_yaxes(autorange="reversed", row=place + 1, col=col)
        read = names[record["predicted"][place]]
        figure.add_annotation(
            text=f"reads {read}", x=0, y=0, xref="x domain", yref="y domain", showarrow=False,
            font={"color": "white"}, row=place + 1, col=4,
        )  # fmt: skip
    figure.update_xaxes(showticklabels=False)
    figure.update_yaxes(showticklabels=False)
    alike = {name: "–" if value is None else f"{value:.2f}" for name, value in record["similarity"].items()}
    words = f"correlation of maps before and after: remaining {alike['remaining']}, forgotten {alike['forgotten']}"
    figure.update_layout(title=f"{title}<br><sub>{words}</sub>", height=160 + 210 * count, width=940)
    return figure


def draw_map(title: str, record: Mapping[str, Any]) -> Figure:
    """Draw figure 4: proxies among real samples, one colour a class."""
    _subplots, go = _plotly()
    from plotly.colors import qualitative

    figure = go.Figure()
    names, colours = record["class_names"], qualitative.Dark24
    for label, name in enumerate(names):
        gone = label in record["forget"]
        colour = "#C8C8C8" if gone else colours[label % len(colours)]
        text = f"{name} (forgotten)" if gone else name
        for kind, symbol, size in (("real", "circle", 5), ("proxies", "x", 7)):
            labels = record["real_labels" if kind == "real" else "proxy_labels"]
            points = [point for point, mine in zip(record[kind], labels, strict=True) if mine == label]
            if points:
                figure.add_trace(
                    go.Scattergl(
                        x=[x for x, _ in points],
                        y=[y for _, y in points],
                        mode="markers",
                        name=f"{text}, {'real' if kind == 'real' else 'proxies'}",
                        legendgroup=name,
                        marker={
                            "color": colour,
                            "symbol": symbol,
                            "size": size,
                            "opacity": 0.45 if kind == "real" else 1,
                        },
                    )
                )
    agreement = "–" if record["agreement"] is None else f"{record['agreement']:.1f} %"
    words = f"proxies (x) whose nearest real samples carry their label: {agreement}; ASR {record['asr']:.1f} %"
    figure.update_layout(title=f"{title}<br><sub>{words}</sub>", template="plotly_white", height=720, width=940)
    figure.update_xaxes(showticklabels=False)
    figure.update_yaxes(showticklabels=False, scaleanchor="x")
    return figure


def draw_curves(comparison: Comparison) -> Figure:
    """Draw figure 5: accuracy against attack success (a), and against the number of proxies (b)."""
    subplots, go = _plotly()
    figure = subplots.make_subplots(
        rows=1, cols=2, subplot_titles=["(a) budget ε", "(b) proxies per class"], shared_yaxes=True
    )
    budgets = [row for row in comparison.rows if row.key.startswith("epsilon_")]
    with_labels = [row for row in comparison.rows if row.key.startswith("n_adv_") and not row.key.endswith("_rl")]
    without = [row for row in comparison.rows if row.key.startswith("n_adv_") and row.key.endswith("_rl")]
    success = [(row.mean_and_deviation("asr") or (0.0, None))[0] for row in budgets]
    lines = [
        ("ZS-PAG, Acc_rt", budgets, "acc_rt", success, REMAINING, 1),
        ("ZS-PAG, Acc_ut", budgets, "acc_ut", success, FORGOTTEN, 1),
        ("ZS-PAG, Acc_rt", with_labels, "acc_rt", _quotas(with_labels), REMAINING, 2),
        ("random labels in its subspace, Acc_rt", without, "acc_rt", _quotas(without), PROXY, 2),
    ]
    for name, rows, figure_name, x, colour, col in lines:
        found = [row.mean_and_deviation(figure_name) or (None, None) for row in rows]
        figure.add_trace(
            go.Scatter(
                x=x,
                y=[mean for mean, _ in found],
                error_y={"array": [deviation or 0.0 for _, deviation in found]},
                text=[row.label for row in rows],
                mode="lines+markers",
                name=name,
                line={"color": colour},
                showlegend=(col, colour) != (2, REMAINING),
            ),
            row=1,
            col=col,
        )
    for key, side in (("original", "bottom right"), ("mask", "top right")):
        row = comparison.row(key)
        level = None if row is None else row.mean_and_deviation("acc_rt")
        if level is not None:
            figure.add_hline(
                y=level[0],
                line_dash="dot",
                line_color=REFERENCE,
                annotation_text=key,
                annotation_position=side,
                annotation_xanchor="left",  # beside the plot
            )
    figure.update_xaxes(title_text="attack success rate, %", row=1, col=1)
    figure.update_xaxes(title_text="n_adv", type="log", tickvals=_quotas(with_labels), row=1, col=2)
    figure.update_yaxes(title_text="accuracy, %", col=1)
    figure.update_layout(
        title=comparison.title,
        template="plotly_white",
        height=480,
        width=1000,
        legend={"orientation": "h", "y": -0.22, "x": 0},
    )
    return figure


def write_page(figure: Figure, path: Path) -> None:
    """Write a figure as a page; plotly's script goes beside it once."""
    script = path.with_name("plotly.min.js")
    if not script.exists():
        from plotly.offline import get_plotlyjs

        with replace_file(script) as partial:
            partial.write_text(get_plotlyjs(), encoding="utf-8")
    with replace_file(path) as partial:
        partial.write_text(figure.to_html(include_plotlyjs=script.name), encoding="utf-8")


def _plotly() -> tuple[Any, Any]:
    """Return plotly's two modules that are used here.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import plotly.graph_objects as go
        from plotly import subplots
    except ImportError:
        raise UsageError("plotly: expected it to be installed for drawing; what was computed is kept") from None
    return subplots, go


def _name(row: Row) -> str:
    """Return a row's label with its kind."""
    return row.label if row.kind in {"reference", "default"} else f"{row.label}, {row.kind}"


def _colour(row: Row) -> str:
    """Return one colour for ZS-PAG, one for other zero-shot methods, one for those with remaining data."""
    if row.kind == "reference":
        return REFERENCE
    if row.method == "zspag":
        return FORGOTTEN
    return PROXY if row.needs_retain else REMAINING


def _quotas(rows: Sequence[Row]) -> list[int]:
    """Return the number of proxies per class of each row."""
    return [int(row.key.removeprefix("n_adv_").removesuffix("_rl")) for row in rows]


def _as_rgb(image: Sequence[Sequence[Sequence[int]]]) -> list[list[list[int]]]:
    """Turn one image, (C, H, W) with 1 or 3 channels, into (H, W, 3)."""
    red, green, blue = image if len(image) == 3 else [image[0]] * 3
    return [[list(pixel) for pixel in zip(*lines, strict=True)] for lines in zip(red, green, blue, strict=True)]
