"""`python -m zspag_core.plane`, but for the process itself, which tests/e2e starts."""

from __future__ import annotations

import json

from zspag_core.plane.__main__ import reply
from zspag_core.plane.play import Playground


def test_a_line_is_answered_with_a_line(asked):
    answer = reply(Playground(), json.dumps(asked().plain()))["answer"]
    assert json.loads(json.dumps(answer)) == answer


def test_what_cannot_be_played_comes_back_as_a_sentence(asked):
    assert reply(Playground(), '{"shape": "cube"}')["error"].startswith("shape: expected one of")
    assert "no such setting" in reply(Playground(), json.dumps(asked(colour=1).plain()))["error"]
