"""What all curves by epoch share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui.figures.drawn import lay_out

if TYPE_CHECKING:
    import plotly.graph_objects as go


def lay_out_epochs(figure: go.Figure, title: str, *, first: int, total: int, height: int, empty: bool) -> None:
    """Set axes, legend and margins of curves by epoch.

    Args:
        figure: is changed.
        title: of the vertical axis.
        first: number of the first epoch drawn; with `total` it fixes the axis, so that the picture does not jump.
        total: how many epochs there will be.
        height: in pixels.
        empty: whether there is no point yet; a line then says what will come.
    """
    lay_out(figure, height, hovermode="x unified", yaxis={"title": title}, showlegend=len(figure.data) > 1)
    figure.update_xaxes(title="epoch", range=[first - 0.2, total + 0.2], dtick=max(1, total // 10))
    figure.update_traces(yhoverformat=".3g")  # that of an axis would format its ticks, too
    if empty:
        words = "the line starts with the first epoch"
        figure.add_annotation(text=words, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False)
        figure.update_xaxes(showgrid=False)
        figure.update_yaxes(showgrid=False, zeroline=False)  # no line through the words
