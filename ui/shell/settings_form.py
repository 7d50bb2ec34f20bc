"""Forms that are built from the schemas of methods: one widget a setting."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.shell.number_field import number_field
from ui.shell.words import CONSEQUENCES, PIXEL_LEVELS, choice_label, knob_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamlit.delta_generator import DeltaGenerator

    Schema = Mapping[str, Any]

FORM_HELD = "form_held"
"""Under which name a session keeps what the Forget page's form holds."""
SLIDER_LEVELS = 64
SLIDER_STEP = 0.5
COUNTED = ("", "images")  # units that a label need not say
UNITS = {"epsilon": "× ε"}


def settings_form(
    method: Mapping[str, Any], names: Sequence[str], *, explain: bool, places: Sequence[DeltaGenerator] = ()
) -> dict[str, Any]:
    """Draw the widgets of some settings of a method and return their values; a setting left empty is left out.

    Args:
        method: as zspag_core.tasks.describe.describe_engine describes it.
        names: the settings to draw, in this order; names that the method does not have are passed over.
        explain: write each setting's consequence under its widget instead of into a help bubble.
        places: where to draw them, in turn; nothing means one below the other.
    """
    known = {about["name"]: about for about in method["parameters"]}
    values = {}
    for count, name in enumerate(name for name in names if name in known):
        with places[count % len(places)] if places else st.container(gap="xxsmall"):
            values[name] = _widget(known[name], knob_key(method, name), explain=explain)
    return {name: value for name, value in values.items() if value is not None}


def settings_held(method: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return what :func:`settings_form` would, without drawing: what its widgets last held, defaults where none was."""
    known = {about["name"]: about for about in method["parameters"]}
    values = {}
    for name in (name for name in names if name in known):
        key, about = knob_key(method, name), known[name]
        values[name] = from_widget(about, st.session_state[key]) if key in st.session_state else about["default"]
    return {name: value for name, value in values.items() if value is not None}


def knob_key(method: Mapping[str, Any], name: str) -> str:
    """Return the key of a setting's widget."""
    return f"{method['name']}-{name}"


def apply_settings(method: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Put settings into the widgets of a method, and its defaults into all others; call it before they are drawn."""
    for about in method["parameters"]:
        value = settings.get(about["name"], about["default"])
        st.session_state[knob_key(method, about["name"])] = to_widget(about, value)


def fitting(method: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that the method has and whose values its widgets can hold."""
    return {
        about["name"]: settings[about["name"]]
        for about in method["parameters"]
        if about["name"] in settings and _holds(about, settings[about["name"]])
    }


def _holds(about: Schema, value: object) -> bool:
    """Tell whether a setting can have a value: its type, one of its choices, within its bounds."""
    if value is None:
        return about["default"] is None
    if about["choices"]:
        return value in about["choices"]
    if about["type"] in {"bool", "str"}:
        return type(value).__name__ == about["type"]
    if isinstance(value, bool) or not isinstance(value, int if about["type"] == "int" else int | float):
        return False
    low, high = about["min"], about["max"]
    return (low is None or value >= low) and (high is None or value <= high)


def changed(method: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that differ from the method's defaults."""
    defaults = {about["name"]: about["default"] for about in method["parameters"]}
    return {name: value for name, value in settings.items() if not same(value, defaults[name])}


def same(one: object, other: object) -> bool:
    """Tell whether two values of a setting are the same, but for rounding."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return one == other


def in_levels(about: Schema) -> bool:
    """Tell whether a setting is a change of single pixels, which papers write in 1/255."""
    return bool(about["unit"].startswith("pixel") and about["max"] is not None and about["max"] <= 1)


def to_widget(about: Schema, value: Any) -> Any:  # noqa: ANN401 - a value of any knob type
    """Return what the widget of a setting holds for a value."""
    if value is not None and in_levels(about):
        return min(round(float(value) * PIXEL_LEVELS, 4), _most_levels(about))
    return float(value) if about["type"] == "float" and value is not None else value


def from_widget(about: Schema, held: Any) -> Any:  # noqa: ANN401 - a value of any knob type
    """Return the value of a setting whose widget holds this."""
    return held / PIXEL_LEVELS if held is not None and in_levels(about) else held


def _most_levels(about: Schema) -> float:
    """Return the end of the slider of a change of pixels."""
    return min(float(SLIDER_LEVELS), about["max"] * PIXEL_LEVELS)


def _widget(about: Schema, key: str, *, explain: bool) -> Any:  # noqa: ANN401 - a value of any knob type
    """Draw the widget of one setting and return the setting's value."""
    consequence = CONSEQUENCES.get(about["name"], about["help"])
    shared: dict[str, Any] = {
        "label": knob_label(about["name"]),
        "key": key,
        "help": None if explain else about["help"],
        "persist_state": "session",
    }
    if key not in st.session_state and about["default"] is not None:
        st.session_state[key] = to_widget(about, about["default"])
    if about["choices"]:
        held: Any = st.selectbox(options=list(about["choices"]), format_func=choice_label, **shared)
    elif about["type"] == "bool":
        held = st.toggle(**shared)
    elif about["type"] == "str":
        held = st.text_input(**shared)
    elif in_levels(about):
        held = st.slider(min_value=0.0, max_value=_most_levels(about), step=SLIDER_STEP, format="%g/255", **shared)
        consequence = f"{held:g}/255 = {held / PIXEL_LEVELS:.3f} of the pixel range. {consequence}"
    else:
        held = _number(about, shared)
    if explain:
        st.caption(consequence)
    return from_widget(about, held)


def _number(about: Schema, shared: Mapping[str, Any]) -> float | int | None:
    """Draw a number; empty means that the method decides."""
    kind = int if about["type"] == "int" else float
    low, high, default = (None if about[part] is None else kind(about[part]) for part in ("min", "max", "default"))
    label = (
        shared["label"] if about["unit"] in COUNTED else f"{shared['label']}, {UNITS.get(about['unit'], about['unit'])}"
    )
    return number_field(
        low=low,
        high=high,
        step=1 if kind is int else _step_of(default),
        format="%d" if kind is int else "%.6g",
        empty="automatic" if default is None else None,
        **{**shared, "label": label},
    )


def _step_of(default: float | None) -> float:
    """Return a sensible click size: a tenth of the default's power of ten."""
    return 0.01 if not default else float(f"{abs(default) / 10:.0e}")
