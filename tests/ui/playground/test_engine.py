from __future__ import annotations

import pytest

from ui.playground.engine import first_answer
from ui.playground.state import USUAL, question_of
from ui.playground.tries import TRIES
from zspag_core.plane.play import Playground


@pytest.fixture(scope="module")
def playground():
    return Playground()


@pytest.mark.slow
def test_what_was_recorded_is_an_answer_to_the_usual_question_as_the_engine_gives_it(playground, answer):
    """But for rounding: the network was trained on the processor that recorded it."""
    fresh = playground.answer(question_of(USUAL))
    assert list(answer) == list(fresh)
    assert answer["points"] == fresh["points"]
    assert len(answer["trails"]["fate"]) > 0
    for one, two in zip(answer["layers"], fresh["layers"], strict=True):
        assert (one["name"], one["dim"]) == (two["name"], two["dim"])
    assert list(answer["frames"][-1]) == list(fresh["frames"][-1])
    assert answer["frames"][-1]["acc_rt"] == pytest.approx(fresh["frames"][-1]["acc_rt"], abs=5)
    assert first_answer(question_of(USUAL)) == answer | {"recorded": True}


def test_no_other_question_is_answered_from_the_record():
    assert first_answer(question_of(USUAL | {"seed": 1})) is None


@pytest.fixture(scope="module")
def tried(playground):
    return {each.title: playground.answer(question_of(USUAL | dict(each.changes))) for each in TRIES}


def left(answer):
    return answer["frames"][-1]["acc_rt"], answer["frames"][-1]["acc_ut"]


@pytest.mark.slow
def test_what_there_is_to_try_shows_what_its_sentence_says(tried):
    rest, gone = left(tried["The method"])
    assert rest > 90
    assert gone < 20
    assert left(tried["The same, protected"])[0] > left(tried["No protection, no brake"])[0] + 15
    assert left(tried["Everything protected"])[1] > 50
    counts = tried["Pushed less far"]["proxies"]["per_class"]
    assert (counts[0], counts[4]) == (0, 0)


@pytest.mark.slow
def test_on_the_board_the_rest_suffers_more_with_the_projection_than_without(tried, playground):
    changes = dict(next(each.changes for each in TRIES if each.title == "Where it fails"))
    without = playground.answer(question_of(USUAL | changes | {"subspace": "none"}))
    assert left(tried["Where it fails"])[0] < left(without)[0] - 3
