from __future__ import annotations

import json

import pytest

from ui.playground.knobs import FIXED, KNOBS
from ui.playground.state import USUAL, parse, question_of, read_points, write_points
from zspag_core.errors import UsageError
from zspag_core.hyperparameters import configure
from zspag_core.methods.zspag import ZSPAG

KNOB = {knob.name: knob for knob in KNOBS}


def test_an_empty_address_is_the_usual_state():
    assert parse(None) == parse("") == parse("{}") == USUAL


@pytest.mark.parametrize(
    "told",
    [
        {"shape": "own", "classes": 3, "forget": [0, 2], "own": "00102" + "1ff00"},
        {"beside": "mask", "seed": 7, "epoch": 4},
        {"epsilon": 0.3, "attack": "cw", "stop_rule": False, "learning_rate": 0.5},
        {"forget": []},
    ],
)
def test_what_an_address_tells_is_the_state(told):
    assert parse(json.dumps(told)) == USUAL | told


@pytest.mark.parametrize(
    "word",
    [
        "{",
        "[1]",
        "null",
        '{"shape": "cube", "classes": 9, "seed": 1000, "epoch": -1, "beside": 3}',
        '{"forget": [7]}',
        '{"forget": "C"}',
        '{"forget": [true]}',
        '{"epsilon": 0.123, "attack": "none", "stop_rule": 1, "n_adv": true, "energy": null}',
        '{"own": 5}',
        '{"own": "zzzzz5000-10"}',
        '{"colour": "red"}',
    ],
)
def test_what_cannot_be_meant_is_left_out(word):
    assert parse(word) == USUAL


def test_with_fewer_classes_what_is_usually_forgotten_may_not_be_there():
    assert parse('{"classes": 2}') == USUAL | {"classes": 2, "forget": []}


def test_points_go_through_their_text_without_those_of_classes_that_are_no_more():
    points = ((0, 255, 0), (17, 1, 4), (9, 9, 1))
    assert read_points(write_points(points), 5) == points
    assert read_points(write_points(points), 2) == (points[0], points[2])
    assert read_points(None, 5) == ()


def test_every_value_of_every_knob_is_one_that_the_method_takes():
    for knob in KNOBS:
        values = (True, False) if isinstance(knob.default, bool) else tuple(knob.words or knob.values)
        assert knob.default in values
        for value in values:
            assert knob.takes(value)
            assert knob.say(value) if knob.words or knob.values else True
            assert getattr(configure(ZSPAG, FIXED | {knob.name: value}), knob.name) == value


@pytest.mark.parametrize(("name", "wrong"), [("stop_rule", 1), ("epochs", 7.5), ("n_adv", True), ("attack", "gd")])
def test_other_values_are_not_taken(name, wrong):
    assert not KNOB[name].takes(wrong)


def test_a_question_asks_what_the_state_says_with_one_budget_for_every_attack():
    question = question_of(USUAL | {"epsilon": 0.2, "own": "00102", "seed": 3})
    assert question.settings["epsilon"] == question.settings["epsilon_l2"] == 0.2
    assert (question.own, question.seed, question.forget) == (((1, 2, 0),), 3, (2,))


def test_a_state_that_cannot_be_asked_is_refused():
    with pytest.raises(UsageError, match="forget"):
        question_of(USUAL | {"forget": [5]})
