"""What membership inference looks at: entropy, confidence and loss of images that were and were not trained on."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from ui.figures.drawn import Drawn, lay_out
from ui.figures.palette import FORGOTTEN, REMAINING
from ui.figures.thresholds import member_if_above, shares_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

HEIGHT = 300
GROUPS = {
    "forget_train": "forgotten, trained on",
    "forget_test": "forgotten, never seen",
    "retain_train": "remaining, trained on",
    "retain_test": "remaining, never seen",
}
AXES = {
    "loss": "loss of the true class, nats",
    "entropy": "entropy of the answer, nats",
    "confidence": "probability of the true class",
}


def scores(
    groups: Mapping[str, Array],
    edges: Sequence[float],
    measure: str,
    when: str,
    *,
    threshold: float | None = None,
    top: float | None = None,
) -> Drawn:
    """Draw how a measure is spread over groups of images, in bars that all groups share.

    Args:
        groups: key of GROUPS -> values (n,).
        edges: edges of the bars, ascending.
        measure: "entropy", "confidence" or "loss".
        when: "before" or "after".
        threshold: where an attack draws its line, None for none.
        top: largest share of the axis, so that pictures can be compared.
    """
    figure = go.Figure()
    spread = {group: shares_of(values, edges) for group, values in groups.items()}
    middle = [place + 0.5 for place in range(len(edges) - 1)]
    for group, shares in spread.items():
        figure.add_bar(x=middle, y=shares, name=f"{GROUPS[group]} ({len(groups[group])})", **_look(group, edges))
    if threshold is not None:
        _mark(figure, place_of(threshold, edges), len(edges) - 1, measure)
    lay_out(figure, HEIGHT, barmode="overlay", bargap=0.05)
    places = list(range(0, len(edges), max(1, (len(edges) - 1) // 8)))
    figure.update_xaxes(
        title=AXES[measure],
        range=[0, len(edges) - 1],
        tickvals=places,
        ticktext=[written(edges[place]) for place in places],
    )
    highest = max((share for shares in spread.values() for share in shares), default=1.0)
    figure.update_yaxes(title="share of the group, %", range=[0, 1.2 * (top or highest)])
    rows = [
        {"from": low, "to": high}
        | {f"{group}_percent": spread[group][place] for group in spread}
        | {f"{group}_images": len(values) for group, values in groups.items()}
        for place, (low, high) in enumerate(itertools.pairwise(edges))
    ]
    names = " and ".join(GROUPS[group] for group in groups)
    return Drawn(
        f"membership_{measure}_{when}",
        f"{measure.capitalize()} {when} unlearning",
        figure,
        f"Histogram of the {measure} {when} unlearning, for images {names}.",
        rows,
        grading=True,
    )


def place_of(value: float, edges: Sequence[float]) -> float:
    """Return where a value lies on an axis that counts bars, between two edges in proportion."""
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        if value <= high:
            return place + max(0.0, (value - low) / (high - low))
    return float(len(edges) - 1)


def written(value: float) -> str:
    """Write the value of an edge with as many digits as one can tell apart."""
    if value == 0 or 0.001 <= abs(value) < 1000:
        return f"{value:.3g}"
    power = math.floor(math.log10(abs(value)))
    return f"{value / 10**power:.2g}·10<sup>{power}</sup>"


def _look(group: str, edges: Sequence[float]) -> dict[str, Any]:
    """Return how a group's bars look: trained on = filled, never seen = hatched."""
    colour = FORGOTTEN if group.startswith("forget") else REMAINING
    seen = group.endswith("train")
    marker: dict[str, Any] = {"color": colour, "opacity": 0.75 if seen else 0.9}
    if not seen:
        marker |= {"pattern": {"shape": "/", "fgcolor": colour, "bgcolor": "rgba(0,0,0,0)", "size": 6, "solidity": 0.3}}
        marker |= {"line": {"color": colour, "width": 1.5}}
    ranges = [f"{written(low)} to {written(high)}" for low, high in itertools.pairwise(edges)]
    return {
        "marker": marker,
        "hovertext": ranges,
        "hovertemplate": "%{hovertext}: %{y:.1f} %<extra>" + GROUPS[group] + "</extra>",
    }


def _mark(figure: go.Figure, place: float, end: int, measure: str) -> None:
    """Draw the threshold and shade the side that it calls members."""
    low, high = (place, end) if member_if_above(measure) else (0, place)
    figure.add_vrect(x0=low, x1=high, fillcolor="#8C8C8C", opacity=0.14, line_width=0)
    figure.add_vline(x=place, line={"color": "#8C8C8C", "width": 2})
    figure.add_annotation(
        x=place, y=1, yref="paper", text="judged trained on", showarrow=False, yanchor="top",
        xanchor="left" if member_if_above(measure) else "right",
        font={"color": "#8C8C8C"}, xshift=4 if member_if_above(measure) else -4,
    )  # fmt: skip
