from __future__ import annotations

import json

import pytest

from ui.forget.form_params import USUAL, parse

WHOLE = {"forget": [3, 5], "method": "posterior", "settings": {"epochs": 7}, "seed": 4}


def test_a_form_survives_its_word():
    assert parse(json.dumps(WHOLE), 10) == WHOLE
    assert parse('{"seed":4}', 10) == USUAL | {"seed": 4}


@pytest.mark.parametrize("word", [None, "", "{}", "nonsense", "[1]", "3", '{"colour": "red"}'])
def test_words_that_say_nothing_leave_the_form_as_it_is(word):
    assert parse(word, 10) == USUAL


@pytest.mark.parametrize(
    "part",
    [
        {"forget": [10]},
        {"forget": [-1]},
        {"forget": ["3"]},
        {"forget": [True]},
        {"forget": 3},
        {"method": "magic"},
        {"settings": [1]},
        {"seed": -1},
        {"seed": 1.5},
        {"seed": 2**31},
    ],
    ids=str,
)
def test_parts_that_make_no_sense_are_left_out(part):
    (name,) = part
    assert parse(json.dumps(WHOLE | part), 10) == WHOLE | {name: USUAL[name]}
