from __future__ import annotations

import json

from streamlit.testing.v1 import AppTest


def draw_three():
    import plotly.graph_objects as go

    from ui.shell.charts import chart, picking_chart

    chart(go.Figure(go.Bar(x=[1], y=[2])), key="plain", alt="one bar")
    wide = go.Figure(go.Scatter(x=[1], y=[2], customdata=["a"])).update_layout(margin={"r": 80})
    picking_chart(wide, key="picked", alt="one point")
    beside = go.Figure(go.Bar(x=[1], y=[2])).update_layout(legend={"x": 1.02}, margin={"r": 8})
    chart(beside, key="beside", alt="one bar")


def test_plotlys_bar_has_a_margin_of_its_own():
    app = AppTest.from_function(draw_three).run()
    assert not app.exception
    plain, picked, beside = (json.loads(chart.proto.spec)["layout"] for chart in app.get("plotly_chart"))
    assert plain["modebar"]["orientation"] == picked["modebar"]["orientation"] == "v"
    assert (plain["margin"]["r"], picked["margin"]["r"]) == (30, 80)
    assert (beside["modebar"]["orientation"], beside["margin"]["t"], beside["margin"]["r"]) == ("h", 30, 8)
