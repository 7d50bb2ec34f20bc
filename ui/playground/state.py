"""The Playground's state: in the widgets, and in the page's address, so that a link opens it as it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.playground.knobs import FIXED, KNOBS
from ui.shell.url_params import write_word
from zspag_core.plane.question import (
    BESIDE,
    FEWEST_CLASSES,
    LEVELS,
    MOST_CLASSES,
    MOST_OWN,
    MOST_SEED,
    OWN,
    SHAPES,
    Question,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.plane.question import Point

WORD, READ = "play", "play-read"
DIGITS = 5
"""Letters that one point of the visitor's takes in the address: its class, and two hexadecimal digits a coordinate."""
USUAL: dict[str, Any] = {
    "shape": SHAPES[0],
    "classes": 5,
    "forget": [2],
    "own": "",
    "beside": BESIDE[0],
    "seed": 0,
    "epoch": None,
    **{knob.name: knob.default for knob in KNOBS},
}


def key(name: str) -> str:
    """Return the name among the widgets of a part of the state."""
    return f"play-{name}"


def open_state() -> None:
    """Fill the widgets from the address, once a session; call it before they are drawn."""
    if READ not in st.session_state:
        st.session_state[READ] = True
        put(parse(st.query_params.get(WORD)))


def put(state: Mapping[str, Any]) -> None:
    """Put a whole state, or a part of it, into the widgets."""
    for name, value in state.items():
        st.session_state[key(name)] = list(value) if name == "forget" else value


def held() -> dict[str, Any]:
    """Return the state that the widgets hold."""
    state = {name: st.session_state.get(key(name), usual) for name, usual in USUAL.items()}
    return state | {"forget": sorted(state["forget"] or [])}


def keep(state: Mapping[str, Any]) -> None:
    """Write what is not as usual into the address."""
    changed = {name: value for name, value in state.items() if value != USUAL[name]}
    write_word(WORD, json.dumps(changed, separators=(",", ":"), sort_keys=True), usual="{}")


def parse(word: str | None) -> dict[str, Any]:
    """Return the state that a word of the address tells, with the usual where it says nothing that can be meant."""
    try:
        said = json.loads(word or "{}")
    except ValueError:
        said = {}
    changed = {name: said[name] for name in USUAL if name in said} if isinstance(said, dict) else {}
    state = USUAL | {
        knob.name: changed[knob.name] for knob in KNOBS if knob.name in changed and knob.takes(changed[knob.name])
    }
    state |= _among(changed, "shape", (*SHAPES, OWN)) | _among(changed, "beside", BESIDE)
    state |= _between(changed, "classes", FEWEST_CLASSES, MOST_CLASSES) | _between(changed, "seed", 0, MOST_SEED)
    state |= _between(changed, "epoch", 0, max(knob.values[-1] for knob in KNOBS if knob.name == "epochs"))
    state["own"] = write_points(read_points(changed.get("own"), state["classes"]))
    forget = changed.get("forget", state["forget"])
    fits = isinstance(forget, list) and all(type(k) is int and 0 <= k < state["classes"] for k in forget)
    state["forget"] = sorted(set(forget)) if fits else [k for k in USUAL["forget"] if k < state["classes"]]
    return state


def question_of(state: Mapping[str, Any]) -> Question:
    """Return what the engine is asked.

    Raises:
        UsageError: this cannot be played; says why.
    """
    settings = {knob.name: state[knob.name] for knob in KNOBS}
    return Question(
        shape=state["shape"],
        classes=state["classes"],
        own=read_points(state["own"], state["classes"]),
        forget=tuple(state["forget"]),
        settings={**FIXED, **settings, "epsilon_l2": state["epsilon"]},
        seed=state["seed"],
        beside=state["beside"],
    )


def read_points(text: object, classes: int) -> tuple[Point, ...]:
    """Return the points that a text holds, five letters each; what is no point of one of the classes is left out."""
    if not isinstance(text, str):
        return ()
    pieces = [text[at : at + DIGITS] for at in range(0, len(text), DIGITS)][:MOST_OWN]
    points = [_point(piece) for piece in pieces]
    return tuple(point for point in points if point is not None and point[2] < classes)


def write_points(points: tuple[Point, ...]) -> str:
    """Return the text that holds some points."""
    return "".join(f"{k}{across:02x}{up:02x}" for across, up, k in points)


def _point(piece: str) -> Point | None:
    try:
        k, across, up = int(piece[0], 16), int(piece[1:3], 16), int(piece[3:5], 16)
    except (ValueError, IndexError):
        return None
    return (across, up, k) if len(piece) == DIGITS and min(k, across, up) >= 0 and max(across, up) <= LEVELS else None


def _among(changed: Mapping[str, Any], name: str, words: tuple[str, ...]) -> dict[str, Any]:
    return {name: changed[name]} if changed.get(name) in words else {}


def _between(changed: Mapping[str, Any], name: str, low: int, high: int) -> dict[str, Any]:
    return {name: changed[name]} if type(changed.get(name)) is int and low <= changed[name] <= high else {}
