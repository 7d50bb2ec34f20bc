from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from ui.figures.curves import curves_of
from ui.figures.training import plain_loss_figure


def draw_by_turns():
    import streamlit as st

    from ui.figures.training import plain_loss_figure
    from ui.shell.live_chart import live_chart

    count = st.session_state.get("count", 1)
    epochs = [{"epoch": number, "loss": float(number)} for number in range(count)]
    live_chart(plain_loss_figure(epochs, 9), key="loss", alt=f"After {count}")


@pytest.fixture
def shown():
    """Draw a figure of so many points; return the identity of what stands there and what it shows."""
    app = AppTest.from_function(draw_by_turns)

    def draw(count, **params):
        app.session_state["count"] = count
        app.query_params.update(params)
        app.run()
        assert not app.exception
        (element,) = app.get("bidi_component")
        return element.proto.id, json.loads(element.proto.json)

    return draw


def test_the_same_place_shows_each_version(shown):
    place, first = shown(1)
    later_place, later = shown(3)
    assert later_place == place, "the browser builds nothing anew"
    assert (first["alt"], later["alt"]) == ("After 1", "After 3")
    assert [point for line in later["panels"][0]["lines"] for point in line["points"]] == [[0, 0], [1, 1], [2, 2]]
    assert shown(3) == (place, later)


def test_it_shows_what_plotly_would(shown):
    figure = plain_loss_figure([{"epoch": 0, "loss": 0.0}, {"epoch": 1, "loss": 1.0}], 9)
    assert shown(2)[1] == json.loads(json.dumps(curves_of(figure))) | {"alt": "After 2"}


def test_presenter_mode_draws_it_large(shown):
    plain = shown(2)[1]
    large = shown(2, present="1")[1]
    assert large["font"] > plain["font"]
    assert large["height"] > plain["height"]
