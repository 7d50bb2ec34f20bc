"""Figures of a run under way: accuracy, loss and membership by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ui.figures.epochs import lay_out_epochs
from ui.figures.lines import ACCURACIES, ESTIMATES
from ui.figures.palette import FORGOTTEN, REFERENCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Epochs = Sequence[Mapping[str, Any]]

HEIGHT = 300
LAYOUT: dict[str, Any] = {"first": 0, "height": HEIGHT}
COIN_TOSS = 50.0
LABEL_ROOM = 16  # points beyond the outermost line, for the words at it


def accuracy_figure(epochs: Epochs, total: int, mask: float | None = None) -> go.Figure:
    """Draw accuracy on remaining and forgotten test images by epoch.

    Args:
        epochs: one record per epoch with "epoch", "acc_rt" and "acc_ut" in percent.
        total: how many epochs there will be; fixes the axis, so that the picture does not jump.
        mask: remaining accuracy in percent of the trivial reference, if it is known.
    """
    figure = go.Figure()
    for key, name, colour in ACCURACIES:
        x, y = _series(epochs, key)
        figure.add_scatter(x=x, y=y, name=name, mode="lines+markers", line={"color": colour, "width": 3})
        if x and x[0] == 0:
            figure.add_hline(y=y[0], line={"color": colour, "width": 1, "dash": "dash"})
    if mask is not None:
        figure.add_hline(
            y=mask,
            line={"color": REFERENCE, "width": 1.5, "dash": "dot"},
            annotation={"text": "mask", "font": {"color": REFERENCE}},
            annotation_position="top right",  # right below it may lie the dashed line of the original
        )
    lay_out_epochs(figure, "accuracy, %", total=total, empty=not epochs, **LAYOUT)
    figure.update_yaxes(range=[-3, 100 + LABEL_ROOM], tickvals=list(range(0, 101, 20)))
    return figure


def estimate_figure(epochs: Epochs, total: int) -> go.Figure:
    """Draw what the forget images and the proxies say by epoch, for data without test images.

    Args:
        epochs: one record per epoch with "epoch", "forget_images" and, of methods that make proxies, "proxy_agreement"
            in percent.
        total: how many epochs there will be.
    """
    figure = go.Figure()
    for key, name, colour in ESTIMATES:
        x, y = _series(epochs, key)
        line = {"color": colour, "width": 3, "dash": "dot"}
        figure.add_scatter(x=x, y=y, name=name, mode="lines+markers", line=line)
    lay_out_epochs(figure, "share, %", total=total, empty=not epochs, **LAYOUT)
    figure.update_yaxes(range=[-3, 100 + LABEL_ROOM], tickvals=list(range(0, 101, 20)))
    return figure


def describe_estimates(epochs: Epochs) -> str:
    """Say in a sentence what the chart of estimates shows."""
    if not epochs:
        return "Estimates by epoch: no epoch has ended yet."
    last = epochs[-1]
    parts = [f"{name} {_say(last[key])}" for key, name, _ in ESTIMATES if last.get(key) is not None]
    return f"Estimates by epoch. After epoch {last['epoch']}: {', '.join(parts) or 'none'}."


def plain_loss_figure(epochs: Epochs, total: int) -> go.Figure:
    """Draw the training loss on the forget samples by epoch, where no membership attack was made."""
    figure = go.Figure()
    x, y = _series(epochs, "loss")
    figure.add_scatter(x=x, y=y, name="loss", mode="lines+markers", line={"color": FORGOTTEN, "width": 3})
    lay_out_epochs(figure, "loss", total=total, empty=not x, **LAYOUT)
    figure.update_yaxes(rangemode="tozero")
    return figure


def without_tests(epochs: Epochs) -> bool:
    """Tell whether a run's epochs know nothing of test images, but of its forget images."""
    known = any(row.get(key) is not None for row in epochs for key in ("acc_rt", "acc_ut"))
    return not known and any(row.get("forget_images") is not None for row in epochs)


def loss_figure(epochs: Epochs, total: int) -> go.Figure:
    """Draw the training loss on the forget samples, and under it how well a membership attack does, by epoch.

    Args:
        epochs: one record per epoch with "epoch", "loss" and "mia" (same-class attack, in percent).
        total: how many epochs there will be.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    line = {"color": FORGOTTEN, "width": 3}
    for row, key in enumerate(("loss", "mia"), start=1):
        x, y = _series(epochs, key)
        figure.add_scatter(x=x, y=y, name=key, mode="lines+markers", line=line, row=row, col=1)
    membership = _series(epochs, "mia")[1]
    figure.add_hline(
        y=COIN_TOSS,
        line={"color": REFERENCE, "width": 1.5, "dash": "dot"},
        annotation={"text": "a coin toss", "font": {"color": REFERENCE}},
        annotation_position="top right" if membership and membership[-1] < COIN_TOSS else "bottom right",
        row=2,
        col=1,
    )
    lay_out_epochs(figure, "loss", total=total, empty=not _series(epochs, "loss")[0], **LAYOUT)
    figure.update_xaxes(title=None, row=1, col=1)
    figure.update_yaxes(rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title="attack right, %", range=[min([COIN_TOSS, *membership]) - LABEL_ROOM, 103], row=2, col=1)
    figure.update_layout(showlegend=False)
    return figure


def planned_epochs(epochs: Epochs, asked: float | None, *, active: bool) -> int:
    """Return how long the axis is: the epochs planned while the run is active, those made when it is over.

    Args:
        epochs: one record per epoch; "total" where the run has said how many it plans.
        asked: epochs that the run was asked for, None where it takes the default.
        active: whether the run is under way.
    """
    made = max((int(row["epoch"]) for row in epochs), default=0)
    if not active:
        return max(1, made)
    said = max((int(row.get("total") or 0) for row in epochs), default=0)
    return max(1, made, said, int(asked or 0))


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
    """Say in a sentence what the chart of loss and membership shows."""
    _, loss = _series(epochs, "loss")
    if not loss:
        return "Loss by epoch: no epoch has ended yet."
    _, mia = _series(epochs, "mia")
    attack = f" The same-class membership attack is right in {mia[-1]:.0f} percent." if mia else ""
    return f"Loss by epoch, from {loss[0]:.3g} to {loss[-1]:.3g}.{attack}"


def _series(epochs: Epochs, key: str) -> tuple[list[float], list[float]]:
    """Return epochs and values where there is a value."""
    points = [(row["epoch"], float(row[key])) for row in epochs if row.get(key) is not None]
    return [x for x, _ in points], [y for _, y in points]


def _say(value: float | None) -> str:
    """Write an accuracy for the ear."""
    return "unknown" if value is None else f"{value:.1f} percent"
