"""The process that answers the Playground: one for all visitors of a server, started when the page is first opened."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.playground.state import USUAL, question_of
from zspag_core.plane.client import PlaneClient
from zspag_core.shipped import ASSETS

if TYPE_CHECKING:
    from zspag_core.plane.question import Question

FIRST = ASSETS / "playground.json"
"""The answer to the usual question, recorded, so that there is something to see while the engine starts."""


def first_answer(question: Question) -> dict[str, Any] | None:
    """Return what was recorded, if that answers a question; None for any other."""
    if question != question_of(USUAL):
        return None
    recorded: dict[str, Any] = json.loads(FIRST.read_text(encoding="utf-8"))
    return recorded | {"recorded": True}


@st.cache_resource(show_spinner=False, on_release=PlaneClient.close)
def plane_client() -> PlaneClient:
    """Return what asks the engine; the page itself has no torch (docs/playground.md says what that would cost)."""
    return PlaneClient()
