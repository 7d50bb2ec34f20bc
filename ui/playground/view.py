"""From the engine's answer to what the planes draw, and to the sentences around them; pure functions."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

from ui.figures.palette import CHANGE, FORGOTTEN, REMAINING, class_colours
from ui.playground.knobs import EPSILON, EUCLIDEAN, KNOBS
from ui.playground.state import read_points
from ui.shell.formatting import percent
from zspag_core.metrics.catalogue import ACC_RT, ACC_UT
from zspag_core.plane.question import LETTERS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

NOBODY = 7
"""The class of a cell that no network has read."""
BESIDE = {"original": "Original", "retrained": "Retrained", "mask": "Mask"}
COLUMNS = (
    ("Layer", "what may move in it"),
    (
        "Protected input directions",
        "one bar a class: its input energy, direction by direction; filled up to τ (dashed): protected",
    ),
    ("Felt in the plane", "the first four protected directions: where a point has much of one, of either sign"),
    (
        "Gradient of the forgotten points",
        "blue: kept, hatched: taken out by the projection; length: against the other layers",
    ),
)
MARKS = (
    ('<circle r="3.5" cx="12" cy="8" fill="{forgotten}"/>', "forgotten point"),
    ('<circle r="3.5" cx="12" cy="8" fill="currentColor" opacity=".55"/>', "remaining point, in its class's colour"),
    (
        '<path d="M1 12 15 6" stroke="currentColor"/><circle r="4" cx="19" cy="5" fill="none" stroke="currentColor" '
        'stroke-width="1.5"/>',
        "its way to a proxy, in the colour of the class reached",
    ),
    ('<path d="M9 5l6 6m0-6-6 6" stroke="currentColor"/>', "pushed, but over no boundary"),
    (
        '<circle r="4" cx="12" cy="8" fill="{other}" stroke="{forgotten}" stroke-width="1.8"/>',
        "forgotten point, filled with its pseudo-label",
    ),
)


def plane_data(answer: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the component draws.

    Args:
        answer: of :meth:`zspag_core.plane.play.Playground.answer`.
        state: of the page, see :mod:`ui.playground.state`.
    """
    forget, count = state["forget"], len(answer["names"])
    colours = class_colours(count, forget)
    gone = letters(forget) or "none"
    return {
        "stamp": stamp(answer, state),
        "live": "recorded" not in answer,
        **{name: answer[name] for name in ("names", "points", "pseudo", "trails", "frames", "beside")},
        "epoch": state["epoch"],
        "forget": list(forget),
        "colours": colours,
        "forgotten": FORGOTTEN,
        "energy": state["energy"],
        "push": push(state),
        "figures": [
            {"key": "acc_rt", "name": f"{ACC_RT.short} (rest)"},
            {"key": "acc_ut", "name": f"{ACC_UT.short} ({gone})"},
        ],
        "titles": titles(state["beside"], gone),
        "reads": "read here: {0} on the left, {1} on the right",
        "alt": {
            "left": f"The plane as the network on the left divides it among {count} classes, with all points; "
            f"class {gone} is to be forgotten",
            "right": f"The plane as the unlearned network divides it, without class {gone} at the end",
        },
        "legend": legend(colours, forget),
        "signs": [CHANGE[0], CHANGE[len(CHANGE) // 2], CHANGE[-1]],
        "columns": [list(column) for column in COLUMNS],
        "layers": [layer_row(place, layer, state["subspace"]) for place, layer in enumerate(answer["layers"])],
    }


def empty_answer(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer without a network: the visitor's points alone, in a plane that others can be clicked into."""
    points = read_points(state["own"], state["classes"])
    nothing = {"side": 1, "regions": _packed([NOBODY]), "acc_rt": None, "acc_ut": None}
    return {
        "names": list(LETTERS[: state["classes"]]),
        "points": _packed([part for point in points for part in point]),
        "pseudo": "",
        "trails": {"steps": 0, "places": "", "reached": "", "fate": ""},
        "frames": [{**nothing, "epoch": 0, "parts": []}],
        "beside": {**nothing, "kind": "original"},
        "layers": [],
    }


def _packed(numbers: Sequence[int]) -> str:
    return base64.b64encode(bytes(numbers)).decode("ascii")


def stamp(answer: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    """Return a text that is another one exactly when something else is to be drawn than an epoch of the same."""
    shown = [
        {name: part[name] for name in part if name not in {"epoch", "seconds", "recorded"}} for part in (answer, state)
    ]
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:16]


def push(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the slider of ε, and whether it is the radius of a disc or half the side of a square."""
    knob = next(knob for knob in KNOBS if knob.name == EPSILON)
    shown = {"values": list(knob.values), "value": state[EPSILON], "label": knob.label, "note": knob.sentence}
    return shown | {"disc": state["attack"] in EUCLIDEAN}


def letters(classes: Sequence[int]) -> str:
    """Return the letters of some classes."""
    return ", ".join(LETTERS[k] for k in classes)


def titles(beside: str, gone: str) -> dict[str, str]:
    """Return what stands above the planes."""
    left = {
        "original": "Original",
        "retrained": f"Retrained, never saw {gone}",
        "mask": f"Mask: output {gone} switched off",
    }
    note = "Each epoch is one pass over the forgotten points, with the projected steps of the method."
    return {"left": left[beside], "right": "Unlearned, epoch", "none": "Not unlearned", "note": note}


def legend(colours: Sequence[str], forget: Collection[int]) -> str:
    """Return the legend as HTML."""
    other = next((colour for k, colour in enumerate(colours) if k not in forget), REMAINING)
    drawn = [(mark.format(forgotten=FORGOTTEN, other=other), text) for mark, text in MARKS]
    return "".join(f'<li><svg viewBox="0 0 24 16" aria-hidden="true">{mark}</svg>{text}</li>' for mark, text in drawn)


def layer_row(place: int, layer: Mapping[str, Any], guard: str) -> dict[str, Any]:
    """Return what is drawn of one layer, `place` from 0; `guard` says which directions are protected."""
    dim, rank, head = layer["dim"], layer["rank"], layer["name"] == "head"
    kind = "at random, " if guard == "random" else ""
    full = rank == dim
    classes = [found if guard == "estimated" else {**found, "kept": 0} for found in layer["classes"]]
    return {
        "title": "Output layer" if head else f"Layer {place + 1}",
        "note": f"{dim} inputs; {kind}all protected" if full else f"{dim} inputs; {kind}{rank} protected",
        "dim": dim,
        "full": full,
        "classes": classes,
        "fields": layer["fields"],
    }


def verdict(answer: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    """Say in a line or two what the proxies are, and how the descent ended or why there is none."""
    if answer["refused"]:
        return f":orange[:material/block: **Not unlearned.**] {answer['refused'][:1].upper()}{answer['refused'][1:]}"
    found, names = answer["proxies"], answer["names"]
    counts = found["per_class"]
    landed = ", ".join(f"{names[k]} {count}" for k, count in enumerate(counts) if count)
    words = f"**ASR {percent(found['asr'])}** of {found['attempted']} pushes; proxies kept: {landed or 'none'}."
    bare = [names[k] for k, count in enumerate(counts) if not count and k not in state["forget"]]
    if bare and state["subspace"] == "estimated":
        words += f" :orange[None for {', '.join(bare)}]: hardly anything protects {'it' if len(bare) == 1 else 'them'}."
    if answer["notes"]:
        words += " :orange[Steps harmed the proxies: begun anew with fewer layers.]"
    return f"{words} {answer['ended']}".strip()
