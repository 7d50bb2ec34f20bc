"""Figures of a run under way: accuracy and loss by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from ui.palette import FORGOTTEN, REFERENCE, REMAINING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Epochs = Sequence[Mapping[str, Any]]

HEIGHT = 300


def accuracy_figure(epochs: Epochs, total: int, mask: float | None = None) -> go.Figure:
    """Draw accuracy on remaining and forgotten test images by epoch.

    Args:
        epochs: one record per epoch with "epoch", "acc_rt" and "acc_ut" in percent.
        total: how many epochs there will be; fixes the axis, so that the picture does not jump.
        mask: remaining accuracy in percent of the trivial reference, if it is known.
    """
    figure = go.Figure()
    for key, name, colour in (("acc_rt", "remaining", REMAINING), ("acc_ut", "forgotten", FORGOTTEN)):
        x, y = _series(epochs, key)
        figure.add_scatter(x=x, y=y, name=name, mode="lines+markers", line={"color": colour, "width": 3})
        if x and x[0] == 0:
            figure.add_hline(y=y[0], line={"color": colour, "width": 1, "dash": "dash"})
    if mask is not None:
        figure.add_hline(
            y=mask,
            line={"color": REFERENCE, "width": 1.5, "dash": "dot"},
            annotation={"text": "mask", "font": {"color": REFERENCE}},
            annotation_position="bottom right",
        )
    _lay_out(figure, total, "accuracy, %", empty=not epochs)
    figure.update_yaxes(range=[-3, 103])
    return figure


def loss_figure(epochs: Epochs, total: int) -> go.Figure:
    """Draw the training loss on the forget samples by epoch.

    Args:
        epochs: one record per epoch with "epoch" and "loss".
        total: how many epochs there will be.
    """
    x, y = _series(epochs, "loss")
    figure = go.Figure()
    figure.add_scatter(x=x, y=y, name="loss", mode="lines+markers", line={"color": FORGOTTEN, "width": 3})
    _lay_out(figure, total, "loss", empty=not x)
    figure.update_yaxes(rangemode="tozero")
    figure.update_layout(showlegend=False)
    return figure


def describe_accuracy(epochs: Epochs) -> str:
    """Say in a sentence what the accuracy chart shows, for those who cannot see it."""
    if not epochs:
        return "Accuracy by epoch: no epoch has ended yet."
    last = epochs[-1]
    return (
        f"Accuracy by epoch. After epoch {last['epoch']}: remaining classes {_say(last.get('acc_rt'))}, "
        f"forgotten classes {_say(last.get('acc_ut'))}."
    )


def describe_loss(epochs: Epochs) -> str:
    """Say in a sentence what the loss chart shows."""
    _, y = _series(epochs, "loss")
    return f"Loss by epoch, from {y[0]:.3g} to {y[-1]:.3g}." if y else "Loss by epoch: no epoch has ended yet."


def _series(epochs: Epochs, key: str) -> tuple[list[int], list[float]]:
    """Return epochs and values where there is a value."""
    points = [(int(row["epoch"]), float(row[key])) for row in epochs if row.get(key) is not None]
    return [x for x, _ in points], [y for _, y in points]


def _say(value: float | None) -> str:
    """Write an accuracy for the ear."""
    return "unknown" if value is None else f"{value:.1f} percent"


def _lay_out(figure: go.Figure, total: int, title: str, *, empty: bool) -> None:
    """Set what the charts share."""
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 0, "r": 8, "t": 8, "b": 0},
        legend={"orientation": "h", "y": 1.12, "x": 0},
        hovermode="x unified",
    )
    figure.update_xaxes(title="epoch", range=[-0.2, total + 0.2], dtick=max(1, total // 10))
    figure.update_yaxes(title=title)
    if empty:
        words = "the line starts with the first epoch"
        figure.add_annotation(text=words, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False)
