"""Forms that are built from the schemas of methods: one widget a setting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.words import knob_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PIXEL_LEVELS = 255
GRID_LIMIT = 20
COLUMNS = 5


def settings_form(method: Mapping[str, Any], names: Sequence[str], *, explain: bool) -> dict[str, Any]:
    """Draw the widgets of some settings of a method and return their values; a setting left empty is left out.

    Args:
        method: as zspag_core.jobs.describe.describe_engine describes it.
        names: the settings to draw.
        explain: write each setting's sentence under its widget instead of into a help bubble.
    """
    values = {}
    for about in method["parameters"]:
        if about["name"] in names:
            values[about["name"]] = _widget(about, f"{method['name']}-{about['name']}", explain=explain)
    return {name: value for name, value in values.items() if value is not None}


def _widget(about: Mapping[str, Any], key: str, *, explain: bool) -> Any:  # noqa: ANN401 - a value of any knob type
    """Draw the widget of one setting."""
    shared: dict[str, Any] = {
        "label": knob_label(about["name"]),
        "key": key,
        "help": None if explain else about["help"],
    }
    if about["choices"]:
        value: Any = _choice(about, shared)
    elif about["type"] == "bool":
        value = st.toggle(value=bool(about["default"]), **shared)
    elif about["type"] == "str":
        value = st.text_input(value=about["default"] or "", **shared)
    elif about["unit"].startswith("pixel"):
        return _pixels(about, shared, explain=explain)
    else:
        value = _number(about, shared)
    if explain:
        st.caption(about["help"])
    return value


def _choice(about: Mapping[str, Any], shared: Mapping[str, Any]) -> str:
    """Draw a list of words."""
    choices = list(about["choices"])
    chosen: str = st.selectbox(options=choices, index=choices.index(about["default"]), **shared)
    return chosen


def _number(about: Mapping[str, Any], shared: Mapping[str, Any]) -> float | int | None:
    """Draw a number; empty means that the method decides."""
    kind = int if about["type"] == "int" else float
    low, high, default = (None if about[part] is None else kind(about[part]) for part in ("min", "max", "default"))
    label = f"{shared['label']}, {about['unit']}" if about["unit"] else shared["label"]
    step: float = 1 if kind is int else _step_of(default)
    return st.number_input(
        value=default,
        min_value=low,
        max_value=high,
        step=step,
        format="%d" if kind is int else "%.6g",
        placeholder="automatic",
        **{**shared, "label": label},
    )


def _step_of(default: float | None) -> float:
    """Return a sensible click size: a tenth of the default's power of ten."""
    return 0.01 if not default else float(f"{abs(default) / 10:.0e}")


def _pixels(about: Mapping[str, Any], shared: Mapping[str, Any], *, explain: bool) -> float:
    """Draw a change of pixels in grey levels, as papers write it, and return it as a share of the pixel range."""
    levels = st.number_input(
        value=round(float(about["default"]) * PIXEL_LEVELS, 4),
        min_value=round(float(about["min"] or 0.0) * PIXEL_LEVELS, 4),
        max_value=round(float(about["max"] or 1.0) * PIXEL_LEVELS, 4),
        step=1.0,
        format="%.6g",
        **{**shared, "label": f"{shared['label']}, in 1/255"},
    )
    if explain:
        st.caption(f"{levels:g}/255 = {levels / PIXEL_LEVELS:.4f} of the pixel range. {about['help']}")
    return levels / PIXEL_LEVELS


def class_picker(key: str, names: Sequence[str], pictures: Sequence[str | None]) -> list[int]:
    """Draw the classes with a picture each and return those that are ticked.

    Args:
        key: start of the widgets' keys.
        names: one name per class.
        pictures: one picture per class as a data URL; None shows none.
    """
    if len(names) > GRID_LIMIT:
        return st.multiselect(
            "Classes to forget",
            range(len(names)),
            format_func=lambda label: names[label],
            key=f"{key}-many",
            placeholder="Type a name",
        )
    chosen = []
    for first in range(0, len(names), COLUMNS):  # row by row: the order in which the tab key visits them
        for label, place in zip(range(first, len(names)), st.columns(COLUMNS, gap="small"), strict=False):
            with place, st.container(gap="xsmall"):
                if _tick(f"{key}-{label}", names[label], pictures[label]):
                    chosen.append(label)
    return chosen


def _tick(key: str, name: str, picture: str | None) -> bool:
    """Draw one class with its box."""
    if picture is not None:
        st.image(picture, width=48, alt=f"An image of class {name}")
    return st.checkbox(name, key=key, persist_state="session")
