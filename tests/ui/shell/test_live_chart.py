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


@pytest.fixture
def shown():
    """Draw a figure of so many points; return alt -> identity of what stands there, and which key waits for which."""
    app = AppTest.from_function(draw_by_turns)

    def draw(count):
        app.session_state["count"] = count
        app.run()
        assert not app.exception
        charts = {chart.proto.alt: chart.proto.id for chart in app.get("plotly_chart")}
        return charts, re.findall(r"\.st-key-(loss-\d+)", app.get("html")[0].proto.body)

    return draw


def test_the_former_version_stands_until_the_new_one_is_drawn(shown):
    first, _ = shown(1)
    assert list(first) == ["After 1"]
    both, (new, former) = shown(2)
    assert both["After 1"] == first["After 1"]  # the browser builds nothing anew
    assert both["After 2"].endswith(new)
    assert both["After 1"].endswith(former)
    later, (newest, _) = shown(3)
    assert set(later) == {"After 2", "After 3"}
    assert later["After 2"] == both["After 2"]
    assert later["After 3"].endswith(newest)


def test_nothing_moves_where_nothing_is_new(shown):
    shown(1)
    assert shown(2) == shown(2)


def test_a_figure_has_the_room_that_a_still_one_has(shown):
    app = AppTest.from_function(draw_by_turns).run()
    layout = json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]
    assert layout["modebar"]["orientation"] == "v"
    assert layout["margin"]["r"] >= 30
