"""Figures 2 and 5 show the rows of comparisons as they are."""

from pathlib import Path

import pytest

from zspag_core.metrics.catalogue import ENTROPY
from zspag_core.reproduce.comparison import Comparison
from zspag_core.reproduce.figures import BAND, KINDS, draw_curves, draw_membership

SHIPPED = Path(__file__).parents[2] / "assets" / "comparisons"


@pytest.fixture
def two():
    return [Comparison.read(SHIPPED / f"table1-{name}.json") for name in ("digits-resnet", "cifar10-vit")]


@pytest.mark.slow
def test_every_row_with_a_figure_has_a_bar_of_its_mean_and_deviation(two):
    figure = draw_membership(two)
    traces = [trace for trace in figure.data if trace.yaxis == "y2"]
    drawn = {
        name: (value, spread)
        for trace in traces
        for name, value, spread in zip(trace.y, trace.x, trace.error_x.array, strict=True)
    }
    found = {row.key: row.mean_and_deviation(ENTROPY.key) for row in two[1].rows}
    expected = [(mean[0], mean[1] or 0.0) for mean in found.values() if mean]
    assert sorted(drawn.values()) == sorted(expected)
    assert drawn["ZS-PAG, tuned"] == found["zspag_tuned"]
    assert len(figure.layout.yaxis2.categoryarray) == len(expected), "no two rows share a name"


@pytest.mark.slow
def test_the_legend_tells_every_colour_once_and_the_band_is_retrains(two):
    figure = draw_membership(two)
    shown = [trace.name for trace in figure.data if trace.showlegend]
    assert sorted(shown) == sorted(KINDS)
    for shape, comparison in zip(figure.layout.shapes, two, strict=True):
        mean, deviation = comparison.row("retrain").mean_and_deviation(ENTROPY.key)
        half = max(BAND, deviation or 0.0)
        assert (shape.x0, shape.x1) == pytest.approx((mean - half, mean + half))


def test_curves_have_a_tick_at_every_number_of_proxies_and_each_line_one_legend():
    figure = draw_curves(Comparison.read(SHIPPED / "fig5-digits-resnet.json"))
    assert list(figure.layout.xaxis2.tickvals) == [3, 10, 30, 100]
    shown = [trace.name for trace in figure.data if trace.showlegend]
    assert len(shown) == len(set(shown)) == 3
