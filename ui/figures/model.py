"""Figures of the Model page: accuracy by class, and a training by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from ui.figures.drawn import lay_out
from ui.figures.epochs import lay_out_epochs
from ui.figures.palette import CLASSES, REFERENCE, REMAINING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Epochs = Sequence[Mapping[str, Any]]

TALL = 10  # a bar of so many percent has room for its figure
NAMED = 20  # up to so many classes have their names on the axis
FIGURE_SIZE = 10  # pixels: "100" fits on each of ten bars in half a page of 1280
HEIGHT = 340
CURVE_HEIGHT = 280
LAYOUT: dict[str, Any] = {"first": 1, "height": CURVE_HEIGHT}
TRAIN, TEST = REMAINING, CLASSES[0]


def class_accuracy_figure(names: Sequence[str], accuracy: Sequence[float | None], mean: float) -> go.Figure:
    """Draw how often each class is recognised.

    Args:
        names: one name per class.
        accuracy: one figure per class in percent, None where there is no image.
        mean: accuracy over all images in percent.
    """
    words = ["no image" if value is None else f"{value:.1f} %" for value in accuracy]
    figure = go.Figure()
    figure.add_bar(
        x=list(range(len(names))),
        y=list(accuracy),
        marker={"color": REMAINING},
        customdata=[[name, word] for name, word in zip(names, words, strict=True)],
        hovertemplate="%{customdata[0]}: %{customdata[1]}<extra></extra>",
        text=["–" if value is None else f"{value:.0f}" for value in accuracy] if len(names) <= NAMED else None,
        textposition=["inside" if (value or 0.0) >= TALL else "outside" for value in accuracy],
        insidetextanchor="start",  # at the foot, where the line of the mean does not cross it
        textfont={"size": FIGURE_SIZE},
        insidetextfont={"color": "black", "size": FIGURE_SIZE},
        constraintext="none",
        textangle=0,
        cliponaxis=False,
    )
    figure.add_hline(y=mean, line={"color": REFERENCE, "width": 1.5, "dash": "dot"})
    yaxis = {"title": "right answers, %", "range": [0, 109], "tickvals": [0, 25, 50, 75, 100]}
    lay_out(figure, HEIGHT, showlegend=False, yaxis=yaxis)
    if len(names) <= NAMED:
        figure.update_xaxes(
            tickvals=list(range(len(names))),
            ticktext=[_short(name) for name in names],
            ticklabeloverflow="allow",
            automargin=True,
        )
    else:
        figure.update_xaxes(title="class number; point at a bar for its name")
    return figure


def describe_class_accuracy(names: Sequence[str], accuracy: Sequence[float | None]) -> str:
    """Say in a sentence what the chart of classes shows."""
    known = [(value, name) for name, value in zip(names, accuracy, strict=True) if value is not None]
    if not known:
        return "Accuracy by class: there is no image."
    (low, worst), (high, best) = min(known), max(known)
    return f"Accuracy by class, from {low:.1f} percent for {worst} to {high:.1f} percent for {best}."


def training_accuracy_figure(epochs: Epochs, total: int) -> go.Figure:
    """Draw accuracy on training and test images by epoch.

    Args:
        epochs: one record per epoch with "epoch", "train_accuracy" and maybe "test_accuracy" in percent.
        total: how many epochs there will be; fixes the axis.
    """
    figure = go.Figure()
    for key, name, colour, dash in (
        ("train_accuracy", "training", TRAIN, "dash"),
        ("test_accuracy", "test", TEST, "solid"),
    ):
        _line(figure, epochs, key, name, {"color": colour, "width": 3, "dash": dash})
    lay_out_epochs(figure, "right answers, %", total=total, empty=not epochs, **LAYOUT)
    figure.update_yaxes(range=[-3, 103])
    return figure


def training_loss_figure(epochs: Epochs, total: int) -> go.Figure:
    """Draw the training loss by epoch; arguments as in :func:`training_accuracy_figure`, with "loss"."""
    figure = go.Figure()
    _line(figure, epochs, "loss", "loss", {"color": TRAIN, "width": 3})
    lay_out_epochs(figure, "loss", total=total, empty=not epochs, **LAYOUT)
    figure.update_yaxes(rangemode="tozero")
    return figure


def describe_training(epochs: Epochs) -> str:
    """Say in a sentence how a training goes."""
    if not epochs:
        return "Training by epoch: no epoch has ended yet."
    last = epochs[-1]
    test = f", {last['test_accuracy']:.1f} percent of test images" if last.get("test_accuracy") is not None else ""
    return (
        f"Training by epoch. After epoch {last['epoch']:g} the loss is {last['loss']:.3g}; right are "
        f"{last['train_accuracy']:.1f} percent of training images{test}."
    )


def _line(figure: go.Figure, epochs: Epochs, key: str, name: str, line: Mapping[str, Any]) -> None:
    """Add a curve of what every epoch says under a key."""
    points = [(float(row["epoch"]), float(row[key])) for row in epochs if row.get(key) is not None]
    figure.add_scatter(
        x=[x for x, _ in points], y=[y for _, y in points], name=name, mode="lines+markers", line=dict(line)
    )


def _short(name: str) -> str:
    """Return a name that fits under a bar."""
    return name if len(name) <= 12 else f"{name[:11]}…"
