"""The left side of the Forget page: classes, presets, knobs, and what they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.forms import apply_settings, changed, class_picker, same, settings_form, settings_in_use
from ui.jobs import job_store, show_run
from ui.words import PRESETS, SETTING_GROUPS, help_for
from zspag_core.jobs import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ui.choice import Choice
    from zspag_core.jobs import Job

BASICS = ("attack", "n_adv", "label_mode", "epochs", "learning_rate")
"""The order of basic controls below the preview."""
BUDGETS = ("epsilon", "epsilon_l2")
INFLUENCE = "influence"
FOR_INFLUENCE = "These belong to the label modes *influence* and *influence, anchored*."


def pick_classes(choice: Choice, about: Job) -> list[int]:
    """Draw the classes; their pictures follow as soon as the worker has them."""
    pictures: list[str | None] = [None] * len(choice.class_names)
    if about.state == State.DONE:
        pictures = [described["picture"] for described in about.answer["classes"]]
    st.markdown("**Classes to forget**", help=help_for("Forget samples"))
    chosen = class_picker(f"forget-{choice.checkpoint.stem}", choice.class_names, pictures)
    if about.state == State.FAILED:
        st.caption(f"No pictures: {about.error}")
    return chosen


def pick_method(engine: Mapping[str, Any]) -> Mapping[str, Any]:
    """Draw the list of methods and, for one that has them, its presets; return the method."""
    methods = {method["name"]: method for method in engine["methods"]}
    names = list(methods)
    name = st.selectbox(
        "Method",
        names,
        index=names.index("zspag") if "zspag" in methods else 0,
        key="method",
        format_func=lambda key: methods[key]["title"],
        persist_state="session",
    )
    method: Mapping[str, Any] = methods[name]
    if method["needs_retain"]:
        st.caption(":orange-badge[needs remaining data] A reference: the zero-shot methods get no such data.")
    if len(method["presets"]) > 1:
        _presets(method)
    return method


def _presets(method: Mapping[str, Any]) -> None:
    """Draw the presets; the one that the settings agree with is lit, none where they agree with none."""
    key = f"preset-{method['name']}"
    st.session_state[key] = preset_in_use(method)
    st.pills(
        "Preset",
        sorted(method["presets"], key=_preset_place),
        key=key,
        wrap=True,
        format_func=lambda name: PRESETS.get(name, (name.capitalize(), ""))[0],
        on_change=_take_preset,
        args=(method, key),
    )
    chosen = st.session_state[key]
    st.caption(PRESETS[chosen][1] if chosen in PRESETS else "Your own settings.")


def _preset_place(name: str) -> int:
    """Return a preset's place in the row; new ones stand last."""
    return list(PRESETS).index(name) if name in PRESETS else len(PRESETS)


def preset_in_use(method: Mapping[str, Any]) -> str | None:
    """Return the name of the preset that the settings agree with."""
    using = settings_in_use(method)
    for name, settings in method["presets"].items():
        wanted = {about["name"]: about["default"] for about in method["parameters"]} | settings
        if all(same(using[part], value) for part, value in wanted.items()):
            return str(name)
    return None


def _take_preset(method: Mapping[str, Any], key: str) -> None:
    """Put a preset's settings into the widgets; pressing the lit one again changes nothing."""
    name = st.session_state[key]
    if name is not None:
        apply_settings(method, method["presets"][name])


def pick_budget(method: Mapping[str, Any], attacks: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Draw the budget of the chosen attack, which the preview answers to at once; return its value."""
    return settings_form(method, [name for name in BUDGETS if name in basic_names(method, attacks)], explain=True)


def pick_basics(method: Mapping[str, Any], attacks: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Draw the other basic controls two abreast, each with its consequence; return their values."""
    names = [name for name in BASICS if name in basic_names(method, attacks)]
    if not names:
        return {}
    places = [place.container(gap="xxsmall") for place in st.columns(2, gap="small")]
    return settings_form(method, names, explain=True, places=places)


def basic_names(method: Mapping[str, Any], attacks: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the settings shown before the fold: of the two budgets, the one that the chosen attack reads."""
    names = [name for name in method["basic"] if name not in BUDGETS]
    reads = attacks.get(str(settings_in_use(method).get("attack")), ())
    return names + [name for name in BUDGETS if name in reads]


def pick_rest(method: Mapping[str, Any], engine: Mapping[str, Any]) -> dict[str, Any]:
    """Draw all other settings, in groups, with seed and device; return {"settings", "seed", "device"}."""
    attacks = engine["attacks"]
    hidden = set(basic_names(method, attacks)) | _idle(method, attacks)
    groups = groups_of(method, hidden)
    values: dict[str, Any] = {}
    for tab, (group, names) in zip(st.tabs(list(groups)), groups.items(), strict=True):
        with tab, st.container(gap="xsmall"):
            if group == "Labels" and not names:
                st.caption(FOR_INFLUENCE)
            values |= settings_form(method, names, explain=False)
            if group == "Loop":
                seed = st.number_input("Seed", 0, 2**31 - 1, key="seed", help=help_for("Seed"), persist_state="session")
                device = st.selectbox(
                    "Device",
                    engine["devices"],
                    key="device",
                    help="auto: the worker's own.",
                    persist_state="session",
                )
    return {"settings": values, "seed": int(seed), "device": device}


def groups_of(method: Mapping[str, Any], hidden: set[str]) -> dict[str, list[str]]:
    """Return group -> settings that are not hidden; a group that the method has nothing for is left out."""
    known = [about["name"] for about in method["parameters"]]
    placed = {name for names in SETTING_GROUPS.values() for name in names}
    groups = {}
    for group, names in SETTING_GROUPS.items():
        own = [name for name in names if name in known]
        own += [name for name in known if name not in placed] if group == "Loop" else []
        if own or group == "Loop":
            groups[group] = [name for name in own if name not in hidden]
    return groups


def _idle(method: Mapping[str, Any], attacks: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the settings that the chosen attack and label mode do not read."""
    using = settings_in_use(method)
    reads = set(attacks.get(str(using.get("attack")), ()))
    idle = {name for names in attacks.values() for name in names} - reads
    if not str(using.get("label_mode", INFLUENCE)).startswith(INFLUENCE):
        idle |= set(SETTING_GROUPS["Labels"])
    return idle


def attack_settings(method: Mapping[str, Any], attacks: Mapping[str, Sequence[str]]) -> dict[str, Any] | None:
    """Return the attack and what it reads, as the widgets stand; None for a method that attacks nothing."""
    using = settings_in_use(method)
    if "attack" not in using:
        return None
    return {name: using[name] for name in ("attack", *attacks[using["attack"]])}


def submit(choice: Choice, forget: Sequence[int], method: Mapping[str, Any], chosen: Mapping[str, Any]) -> None:
    """Queue a run and look at it.

    Args:
        choice: model and data.
        forget: the classes to forget.
        method: as the engine describes it.
        chosen: {"settings", "seed", "device"}; settings that are at their default are left out.
    """
    config = {
        "data": choice.data,
        "checkpoint": str(choice.checkpoint),
        "forget": list(forget),
        "class_names": [choice.class_names[label] for label in forget],
        "method": method["name"],
        "settings": changed(method, chosen["settings"]),
        "seed": chosen["seed"],
        "device": chosen["device"],
    }
    show_run(job_store().submit("unlearn", config, device=chosen["device"]).id)
