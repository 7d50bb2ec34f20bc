"""The campaign finds what it looks for, and a small dose of it finds nothing."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from tests.campaign import fuzz, sessions
from tests.campaign.mutations import damage
from tests.campaign.pupil import Answer
from zspag_core.errors import DataError


class Bare(DataError):
    """A refusal that goes around what writes every refusal on one line."""

    __str__ = Exception.__str__


def _raise(error):
    raise error


@pytest.mark.parametrize(
    ("load", "end"),
    [
        (lambda _path: 3, "read"),
        (lambda _path: _raise(DataError("too dark")), "refused"),
        (lambda _path: _raise(Bare("one\ntwo")), "long"),
        (lambda _path: {}["no"], "traceback"),
    ],
)
def test_ends_are_told_apart(load, end, tmp_path):
    assert fuzz._try("kind", tmp_path, load)["end"] == end


def test_what_takes_too_long_is_a_hang(monkeypatch, tmp_path):
    import signal
    import time

    def busy(_path):
        while True:
            pass

    monkeypatch.setattr(fuzz, "HANG_SECONDS", 0.1)
    monkeypatch.setattr(fuzz, "WAIT_SECONDS", 1)
    before = {kind: signal.signal(kind, fuzz._stop) for kind in (signal.SIGALRM, signal.SIGPROF)}
    try:
        assert fuzz._try("kind", tmp_path, lambda _path: time.sleep(60))["end"] == "hang"
        monkeypatch.setattr(fuzz, "WAIT_SECONDS", 60)
        assert fuzz._try("kind", tmp_path, busy)["end"] == "hang"
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def test_the_same_seed_does_the_same_damage():
    content = bytes(range(256)) * 4
    assert damage(content, random.Random(3)) == damage(content, random.Random(3)) != content


@pytest.mark.slow
def test_damaged_inputs_are_read_or_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    found = fuzz.campaign(24, 20_261_130)
    assert not found.faults
    assert sum(found.ends.values()) == 24


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read where Linux tells it")
def test_two_sessions_walk_over_the_pages():
    told = sessions.campaign(2, 0.1, 20_261_130, runs=0, think=(0.1, 0.2))
    assert told.faults == []
    assert told.seen.alerts == set()
    assert len({answer.page for answer in told.seen.answers}) > 2
    assert told.looks[-1].server_mb > 50
    assert told.lines()[0].startswith(f"{len(told.seen.answers)} pages: ")


def test_what_sessions_saw_is_told_in_shares():
    told = sessions.Told()
    assert told.lines() == ["nobody saw a page"]
    told.seen.answers += [Answer("Learn", 0.0, seconds) for seconds in (*[0.2] * 18, 0.7, 9.0)]
    assert "median 0.20 s  p95 9.00 s  longest 9.00 s" in told.lines()[0]
