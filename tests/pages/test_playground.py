"""The Playground page with the engine in this process, in place of its own."""

from __future__ import annotations

import json

import pytest

from ui.playground import page as module
from ui.playground.state import USUAL, question_of
from zspag_core.plane.client import PlaneGone
from zspag_core.plane.play import Playground

PAGE = "0_Playground.py"


class Engine:
    """Answers as the client does; knows what it was asked."""

    def __init__(self):
        self.asked, self.ready, self.fault, self.trouble, self.playground = [], True, None, "", Playground()

    def start(self):
        pass

    def ask(self, question):
        self.asked.append(question)
        if self.fault:
            raise self.fault
        return self.playground.answer(question)


@pytest.fixture(scope="module")
def answering():
    return Engine()


@pytest.fixture
def engine(answering, monkeypatch):
    answering.ready, answering.fault, answering.trouble, answering.asked = True, None, "", []
    monkeypatch.setattr(module, "plane_client", lambda: answering)
    return answering


@pytest.fixture
def opened(open_page, overview, store, engine):
    def opened(**state):
        if state:
            overview.query_params["play"] = json.dumps(state)
        return open_page(PAGE)

    return opened


def drawn(page):
    (spec,) = [json.loads(element.proto.json) for element in page.get("bidi_component")]
    return spec


def words(page):
    return " ".join(str(part.value) for part in [*page.markdown, *page.caption])


def told(page):
    word = page.query_params.get("play", "{}")
    return json.loads(word[0] if isinstance(word, list) else word)


@pytest.mark.slow
def test_the_page_runs_the_method_and_draws_it(opened, engine):
    page = opened()
    assert engine.asked == [question_of(USUAL)]
    assert drawn(page)["names"] == list("ABCDE")
    assert "ASR 100.0 %" in words(page)
    assert told(page) == {}


@pytest.mark.slow
def test_a_turned_knob_is_another_question_and_stands_in_the_address(opened, engine):
    page = opened()
    before = drawn(page)["stamp"]
    page.select_slider(key="play-energy").set_value(0.5).run()
    assert engine.asked[-1].settings["energy"] == 0.5
    assert drawn(page)["stamp"] != before
    assert told(page) == {"energy": 0.5}


@pytest.mark.slow
def test_a_link_opens_the_page_as_it_was(opened, engine):
    page = opened(shape="blobs", classes=3, forget=[0], subspace="none", epoch=1)
    assert page.selectbox(key="play-shape").value == "blobs"
    assert page.selectbox(key="play-classes").value == 3
    assert drawn(page)["epoch"] == 1
    assert engine.asked[-1].forget == (0,)
    page.number_input(key="play-seed").set_value(1).run()
    assert told(page) == {"shape": "blobs", "classes": 3, "forget": [0], "subspace": "none", "seed": 1}
    page.button(key="play-reset").click().run()
    assert told(page) == {}
    assert page.selectbox(key="play-shape").value == "rings"


@pytest.mark.slow
def test_fewer_classes_take_what_was_theirs_along(opened, engine):
    page = opened(shape="own", classes=3, forget=[1, 2], own="20101" + "00202" + "1ffff")
    page.selectbox(key="play-classes").set_value(2).run()
    assert not page.exception
    assert engine.asked[-1].forget == (1,)
    assert engine.asked[-1].own == ((2, 2, 0), (255, 255, 1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"forget": []}, "Nothing is to be forgotten: choose at least one class."),
        ({"classes": 2, "forget": [0, 1]}, "Every class is to be forgotten"),
        ({"epsilon": 0.01, "shape": "wedges"}, "No proxies: no forget sample crossed"),
        ({"shape": "own"}, "The plane needs points of at least two classes"),
        ({"shape": "own", "own": "00101" + "1ffff"}, "Class C has no points to forget"),
    ],
)
def test_what_cannot_be_played_is_one_sentence_beside_the_plane(opened, state, sentence):
    page = opened(**state)
    assert sentence in words(page)
    assert len(drawn(page)["frames"]) == 1
    assert not page.exception


@pytest.mark.slow
def test_classes_without_proxies_are_named(opened):
    assert "None for A, E" in words(opened(epsilon=0.04))


@pytest.mark.slow
def test_an_engine_that_is_gone_is_said_and_the_last_planes_stay(opened, engine):
    page = opened()
    stamp = drawn(page)["stamp"]
    engine.fault = PlaneGone("The process that draws the plane has ended; move a knob to start it again.")
    page.select_slider(key="play-energy").set_value(0.5).run()
    assert "move a knob to start it again" in words(page)
    assert drawn(page)["stamp"] == stamp


@pytest.mark.slow
def test_before_the_engine_answers_the_recorded_planes_are_there_and_a_turned_knob_waits_for_it(opened, engine):
    engine.ready = False
    page = opened()
    assert engine.asked == []
    assert drawn(page)["names"] == list("ABCDE")
    page.select_slider(key="play-energy").set_value(0.5).run()
    assert [question.settings["energy"] for question in engine.asked] == [0.5]


def test_before_the_engine_answers_a_link_to_something_else_says_so(opened, engine):
    engine.ready = False
    page = opened(seed=4)
    assert "The engine starts" in words(page)
    assert not page.get("bidi_component")


def test_an_engine_that_cannot_start_is_said(opened, engine):
    engine.ready, engine.trouble = False, "The engine ends right after its start."
    page = opened(seed=4)
    assert "The engine ends right after its start." in words(page)
    assert "The engine starts" not in words(page)


@pytest.mark.slow
def test_each_thing_to_try_sets_its_knobs(opened, engine):
    page = opened(seed=4)
    page.button(key="play-try-1").click().run()
    assert told(page) == {"subspace": "none", "stop_rule": False, "learning_rate": 0.2}
    assert engine.asked[-1].settings["subspace"] == "none"


@pytest.mark.slow
def test_points_of_ones_own_can_be_taken_away(opened, engine):
    page = opened(own="00101" + "10505")
    assert "Points of your own: 2 of" in words(page)
    page.button(key="play-clear").click().run()
    assert engine.asked[-1].own == ()
    assert "Points of your own" not in words(page)
