"""What clicks in the plane do to the state; the component's messages are written by hand."""

from __future__ import annotations

import pytest
import streamlit as st

from ui.playground import page
from ui.playground.plane import KEY, added_point, reported
from ui.playground.state import USUAL, held, key, put, read_points
from zspag_core.plane.question import MOST_OWN


@pytest.fixture
def session(monkeypatch):
    state = {}
    monkeypatch.setattr(st, "session_state", state)
    put(USUAL)
    return state


def own(state):
    return read_points(state[key("own")], state[key("classes")])


def test_a_click_adds_a_point_and_shows_the_last_epoch_of_what_comes(session):
    session[key("epoch")] = 3
    session[KEY] = {"added": [10, 200.0, 1]}
    page.take_click()
    page.take_click()
    assert own(session) == ((10, 200, 1), (10, 200, 1))
    assert session[key("epoch")] is None


def test_the_eraser_takes_points_nearby_away(session):
    put({"own": "00a0a" + "10c0c" + "2ffff"})
    session[KEY] = {"added": [12, 10, -1]}
    page.take_click()
    assert own(session) == ((255, 255, 2),)


@pytest.mark.parametrize("told", [None, [1, 2], "abc", [1, "x", 2], [1, 2, 9]])
def test_what_is_no_point_adds_none(session, told):
    session[KEY] = {"added": told}
    page.take_click()
    assert own(session) == ()


def test_no_more_points_than_are_allowed(session):
    put({"own": "00101" * MOST_OWN})
    session[KEY] = {"added": [9, 9, 0]}
    page.take_click()
    assert len(own(session)) == MOST_OWN


def test_places_beyond_the_plane_are_put_on_its_edge(session):
    session[KEY] = {"added": [-5, 300, 0]}
    page.take_click()
    assert own(session) == ((0, 255, 0),)


def test_the_epoch_that_is_shown_is_remembered(session):
    session[KEY] = {"epoch": 2.0}
    page.take_epoch()
    assert held()["epoch"] == 2
    session[KEY] = {"epoch": None}
    page.take_epoch()
    assert held()["epoch"] is None


def test_the_slider_of_the_planes_sets_epsilon(session):
    session[KEY] = {"epsilon": 0.3}
    session[key("epoch")] = 3
    page.take_epsilon()
    assert (held()["epsilon"], held()["epoch"]) == (0.3, None)


@pytest.mark.parametrize("wrong", [None, 7, "0.3", True, 0.123])
def test_what_is_no_epsilon_changes_nothing(session, wrong):
    session[KEY] = {"epsilon": wrong}
    page.take_epsilon()
    assert held()["epsilon"] == USUAL["epsilon"]


def test_before_anything_is_told_there_is_nothing(session):
    assert added_point() is None
    assert reported("epoch") is None
