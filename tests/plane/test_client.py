from __future__ import annotations

import subprocess
import sys
import time

import pytest

from zspag_core.errors import UsageError
from zspag_core.plane import client as module
from zspag_core.plane.client import PlaneClient, PlaneGone
from zspag_core.plane.question import Question
from zspag_core.shipped import ROOT

ECHO = """
import json, sys, time
print("{}", flush=True)
for number, line in enumerate(sys.stdin, start=1):
    seed = json.loads(line)["seed"]
    if seed == 9:
        time.sleep(60)
    if seed == 8:
        sys.exit(3)
    said = {"error": "no such seed"} if seed == 7 else {"answer": {"seed": seed, "asked": number}}
    print(json.dumps(said), flush=True)
"""


@pytest.fixture
def client(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    made = PlaneClient((sys.executable, "-c", ECHO), patience=20)
    yield made
    made.close()


@pytest.mark.slow
def test_whoever_asks_has_no_torch():
    """The page's server would hold 0.7 GB more (docs/playground.md)."""
    program = "import sys, ui.playground.page; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_equal_questions_are_answered_once(client):
    assert client.ask(Question(seed=1)) == {"seed": 1, "asked": 1}
    assert client.ask(Question(seed=2)) == {"seed": 2, "asked": 2}
    assert client.ask(Question(seed=1)) == {"seed": 1, "asked": 1}
    assert client.ready


def test_old_answers_are_let_go(client, monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED", 1)
    assert [client.ask(Question(seed=seed))["asked"] for seed in (1, 2, 1)] == [1, 2, 3]


def test_a_refusal_is_passed_on_and_not_remembered(client):
    for _ in range(2):
        with pytest.raises(UsageError, match="no such seed"):
            client.ask(Question(seed=7))
    assert client.ask(Question(seed=1))["asked"] == 3


def test_a_child_that_ends_is_said_and_the_next_question_starts_another(client):
    client.ask(Question(seed=1))
    first = client.pid
    with pytest.raises(PlaneGone, match="has ended; move a knob"):
        client.ask(Question(seed=8))
    assert not client.ready
    assert client.ask(Question(seed=2)) == {"seed": 2, "asked": 1}
    assert client.pid not in {0, first}


def test_a_child_that_is_gone_between_questions_is_replaced_without_a_word(client):
    client.ask(Question(seed=1))
    client._child.process.kill()
    client._child.process.wait()
    assert client.ask(Question(seed=2)) == {"seed": 2, "asked": 1}


def test_a_child_that_does_not_answer_is_given_up(client):
    client.ask(Question(seed=1))
    client._patience = 0.2
    with pytest.raises(PlaneGone, match="has not answered for 0 s"):
        client.ask(Question(seed=9))
    assert client.pid == 0


def test_a_child_that_nobody_asks_is_let_go(client, monkeypatch):
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.05)
    client.start()
    process = client._child.process
    deadline = time.monotonic() + 20
    while process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not client.ready


def test_children_that_end_at_once_are_said_and_not_started_for_ever(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    client = PlaneClient((sys.executable, "-c", "raise SystemExit('no such thing')"), patience=20)
    for _ in range(module.PATIENCE):
        assert client.trouble == ""
        client.start()
        client._child.process.wait()
    client.start()
    assert client.trouble == f"The engine ends right after its start. Its last words are in {tmp_path / 'plane.log'}."
    with pytest.raises(PlaneGone, match="right after its start"):
        client.ask(Question(seed=1))
    assert (tmp_path / "plane.log").read_text().count("no such thing") == module.PATIENCE
    client.close()


def test_closing_twice_is_no_fault(client):
    client.start()
    client.close()
    client.close()
    assert (client.pid, client.ready) == (0, False)
