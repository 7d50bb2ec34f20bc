"""The campaign finds what it looks for, and a small dose of it finds nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.campaign import fuzz
from tests.campaign.mutations import damage
from zspag_core.errors import DataError


def _raise(error):
    raise error


@pytest.mark.parametrize(
    ("load", "end"),
    [
        (lambda _path: 3, "read"),
        (lambda _path: _raise(DataError("too dark")), "refused"),
        (lambda _path: _raise(DataError("one\ntwo")), "long"),
        (lambda _path: {}["no"], "traceback"),
    ],
)
def test_ends_are_told_apart(load, end, tmp_path):
    assert fuzz._try("kind", tmp_path, load)["end"] == end


def test_what_takes_too_long_is_a_hang(monkeypatch, tmp_path):
    import signal
    import time

    monkeypatch.setattr(fuzz, "HANG_SECONDS", 1)
    before = signal.signal(signal.SIGALRM, fuzz._stop)
    try:
        assert fuzz._try("kind", tmp_path, lambda _path: time.sleep(60))["end"] == "hang"
    finally:
        signal.signal(signal.SIGALRM, before)


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
