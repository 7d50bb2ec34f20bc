from __future__ import annotations

import json

import pytest

from ui.playground.engine import FIRST


@pytest.fixture
def answer():
    """The recorded answer to the usual question."""
    return json.loads(FIRST.read_text(encoding="utf-8"))
