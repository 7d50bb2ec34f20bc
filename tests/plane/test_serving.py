"""`python -m zspag_core.plane`; tests/e2e starts it as it is, here another answers in the engine's place."""

from __future__ import annotations

import json
import subprocess
import sys

from zspag_core.plane.__main__ import reply
from zspag_core.plane.play import Playground
from zspag_core.shipped import ROOT

SERVE = """
import sys
from zspag_core.plane import __main__ as serving

class Fake:
    def answer(self, question):
        print("a word of the engine")
        return {"seed": question.seed}

serving._load = Fake
sys.exit(serving.main())
"""


def test_a_line_is_answered_with_a_line(asked):
    answer = reply(Playground(), json.dumps(asked().plain()))["answer"]
    assert json.loads(json.dumps(answer)) == answer


def test_what_cannot_be_played_comes_back_as_a_sentence(asked):
    assert reply(Playground(), '{"shape": "cube"}')["error"].startswith("shape: expected one of")
    assert "no such setting" in reply(Playground(), json.dumps(asked(colour=1).plain()))["error"]


def test_answers_stand_alone_and_the_process_ends_with_its_input():
    asked = '{"seed": 3}\n{"seed": 400}\n'
    command = [sys.executable, "-c", SERVE]
    done = subprocess.run(command, cwd=ROOT, input=asked, capture_output=True, text=True, timeout=60, check=True)
    ready, first, second = map(json.loads, done.stdout.splitlines())
    assert (ready, first) == ({"ready": True}, {"answer": {"seed": 3}})
    assert second["error"].startswith("seed: expected")
    assert done.stderr.count("a word of the engine") == 2, "the first question is its own"
