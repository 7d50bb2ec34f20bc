from __future__ import annotations

import json
import re

import pytest
from streamlit.testing.v1 import AppTest


def draw_by_turns():
    import plotly.graph_objects as go
    import streamlit as st

    from ui.shell.live_chart import live_chart

    count = st.session_state.get("count", 1)
    live_chart(go.Figure(go.Scatter(y=list(range(count)))), key="loss", alt=f"After {count}")


COVER = re.compile(r":has\(\.st-key-loss-(\d+) [^)]*\)[^)]*\) \.st-key-loss-(\d+)\{visibility:hidden\}")


@pytest.fixture
def shown():
    """Draw a figure of so many points; return alt -> identity of what stands there, and which version covers which."""
    app = AppTest.from_function(draw_by_turns)

    def draw(count):
        app.session_state["count"] = count
        app.run()
        assert not app.exception
        charts = {chart.proto.alt: chart.proto.id for chart in app.get("plotly_chart")}
        return charts, [tuple(map(int, pair)) for pair in COVER.findall(app.get("html")[0].proto.body)]

    return draw


def test_former_versions_stand_until_a_newer_one_is_drawn(shown):
    first, _ = shown(1)
    assert list(first) == ["After 1"]
    both, _ = shown(2)
    assert both["After 1"] == first["After 1"]  # the browser builds nothing anew
    shown(3)
    later, covers = shown(4)
    assert set(later) == {"After 2", "After 3", "After 4"}
    assert later["After 2"] == both["After 2"]
    assert covers == [(4, 3), (4, 2), (3, 2)]  # the browser may be two behind
    assert [later[f"After {version}"].rpartition("-")[2] for version in (2, 3, 4)] == ["2", "3", "4"]


def test_nothing_moves_where_nothing_is_new(shown):
    shown(1)
    assert shown(2) == shown(2)


def test_a_figure_has_the_room_that_a_still_one_has(shown):
    app = AppTest.from_function(draw_by_turns).run()
    layout = json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]
    assert layout["modebar"]["orientation"] == "v"
    assert layout["margin"]["r"] >= 30
