from __future__ import annotations

import json

from streamlit.testing.v1 import AppTest


def draw_two():
    import plotly.graph_objects as go

    from ui.charts import chart, picking_chart

    chart(go.Figure(go.Bar(x=[1], y=[2])), key="plain", alt="one bar")
    wide = go.Figure(go.Scatter(x=[1], y=[2], customdata=["a"])).update_layout(margin={"r": 80})
    picking_chart(wide, key="picked", alt="one point")


def test_plotlys_bar_stands_upright_in_a_margin_of_its_own():
    app = AppTest.from_function(draw_two).run()
    assert not app.exception
    plain, picked = (json.loads(chart.proto.spec)["layout"] for chart in app.get("plotly_chart"))
    assert plain["modebar"]["orientation"] == picked["modebar"]["orientation"] == "v"
    assert (plain["margin"]["r"], picked["margin"]["r"]) == (30, 80)
