from __future__ import annotations

import json

import pytest

from zspag_core.errors import UsageError
from zspag_core.plane.question import MOST_OWN, Question, read_question


def test_a_question_goes_through_json():
    question = Question(shape="own", own=((1, 2, 0), (3, 4, 1)), forget=(0, 1), settings={"epsilon": 0.1}, seed=3)
    assert read_question(json.loads(json.dumps(question.plain()))) == question


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"shape": "cube"}, "shape: expected one of rings, .*, got 'cube'"),
        ({"beside": "nothing"}, "beside: expected one of original"),
        ({"classes": 7}, "classes: expected 2 to 6, got 7"),
        ({"classes": True}, "classes: expected 2 to 6, got True"),
        ({"seed": -1}, "seed: expected 0 to 99, got -1"),
        ({"forget": [5]}, "forget: expected 0 to 4, got 5"),
        ({"own": [[0, 0]]}, "points: expected across, up and class"),
        ({"own": [[0, 256, 1]]}, "points: expected 0 to 255, got 256"),
        ({"own": [[0, 0, 5]]}, "class of a point: expected 0 to 4, got 5"),
        ({"own": [[0, 0, 0]] * (MOST_OWN + 1)}, "points: expected at most 200 of your own, got 201"),
        ({"settings": {"epochs": 61}}, "epochs: expected at most 60 here, got 61"),
        ({"colour": 1}, "question: expected shape, .*, got 'colour'"),
    ],
)
def test_what_cannot_be_played_is_refused_in_a_sentence(wrong, sentence):
    with pytest.raises(UsageError, match=sentence):
        read_question(wrong)
