"""The left side of the Forget page: classes, presets, knobs, and what they make."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.shell.class_names import names_of, says_names
from ui.shell.jobs import job_store, made_of, show_run
from ui.shell.methods import USUAL, method_card, method_summary
from ui.shell.number_field import number_field
from ui.shell.selection import choice_of, use
from ui.shell.settings_form import apply_settings, changed, fitting, same, settings_form, settings_held
from ui.shell.words import PRESETS, SETTING_GROUPS, help_for
from zspag_core.errors import ZspagError
from zspag_core.jobs import State
from zspag_core.runs.config import RunConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ui.shell.selection import Choice
    from zspag_core.jobs import Job

BASICS = ("attack", "n_adv", "label_mode", "epochs", "learning_rate")
"""The order of basic controls below the preview."""
BUDGETS = ("epsilon", "epsilon_l2")
WANTED, TAKEN = "preset_wanted", "presets_taken"
MOST_SEED = 2**31 - 1
MOST_HELD_OUT = 90
INFLUENCE = "influence"
FOR_INFLUENCE = "These belong to the label modes *influence* and *influence, anchored*."


def pick_held_out(about: Job, forget: Sequence[int]) -> float:
    """Draw how many of the images to forget the method does not see, where there are no test images of them."""
    if about.state != State.DONE or not forget or all(about.answer["classes"][k]["test"] for k in forget):
        return 0.0
    return float(
        number_field(
            "Hold out, % of the images to forget",
            0,
            MOST_HELD_OUT,
            key="hold-out",
            help="The data has no test images of them. Images held out are not shown to the method; what it makes of "
            "them is an estimate.",
            persist_state="session",
        )
    )


def pick_method(engine: Mapping[str, Any]) -> Mapping[str, Any]:
    """Draw the list of methods and return the one chosen."""
    methods = {method["name"]: method for method in engine["methods"]}
    names = list(methods)
    name = st.selectbox(
        "Method",
        names,
        index=names.index(USUAL) if USUAL in names else 0,
        key="method",
        format_func=lambda key: methods[key]["title"],
        persist_state="session",
    )
    method: Mapping[str, Any] = methods[name]
    if name != USUAL:
        st.caption(method_summary(name))
    with st.popover("Where it comes from", type="tertiary"):
        st.markdown(method_card(name))
    if method["needs_retain"]:
        st.caption(":orange-badge[needs remaining data] The zero-shot methods get no such data.")
    return method


def show_presets(method: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Draw a method's presets, if it has any; the one that the settings agree with is lit, else none.

    Args:
        method: as the engine describes it.
        values: its settings, as far as they are drawn.
    """
    if len(method["presets"]) < 2:
        return
    lit, taken = preset_in_use(method, values), st.session_state.get(TAKEN, 0)
    picked = st.pills(
        "Preset",
        sorted(method["presets"], key=_preset_place),
        default=lit,
        key=f"preset-{method['name']}-{lit}-{taken}",  # a new one for each: what knobs light must not look like a click
        wrap=True,
        format_func=lambda name: PRESETS.get(name, (name.capitalize(), ""))[0],
    )
    if picked not in {None, lit}:
        st.session_state[WANTED], st.session_state[TAKEN] = picked, taken + 1
        st.rerun()
    st.caption(PRESETS[lit][1] if lit in PRESETS else "Your own settings.")


def take_preset(method: Mapping[str, Any]) -> None:
    """Put the settings that were asked for, a preset's or a run's, into the widgets; call it before they are drawn."""
    wanted = st.session_state.pop(WANTED, None)
    if wanted is not None:
        settings = method["presets"][wanted] if isinstance(wanted, str) else wanted
        apply_settings(method, fitting(method, settings))


def take_run(config: Mapping[str, Any]) -> None:
    """Make the form what a run was made with: model, classes, method, settings, seed and device. For callbacks."""
    path = Path(str(config["checkpoint"]))
    with contextlib.suppress(ZspagError):  # a model that is gone: the one chosen stays
        use(choice_of(path, str(config["data"])))
    fill_form(path.stem, len(names_of(config, max(config["forget"]) + 1)), config)


def fill_form(model: str, num_classes: int, config: Mapping[str, Any]) -> None:
    """Put classes, method, settings, seed and device into the form before it is drawn.

    Args:
        model: name of the checkpoint's file without its ending.
        num_classes: how many classes there are to tick.
        config: of a run; only "forget" must be there.
    """
    start = f"forget-{model}"
    st.session_state[f"{start}-many"] = list(config["forget"])
    for label in range(num_classes):
        st.session_state[f"{start}-{label}"] = label in config["forget"]
    st.session_state["method"] = config.get("method", USUAL)
    st.session_state["hold-out"] = int(config.get("hold_out", 0))
    st.session_state["seed"], st.session_state["device"] = config.get("seed", 0), config.get("device", "auto")
    st.session_state[WANTED] = dict(config.get("settings", {}))
    st.session_state[TAKEN] = st.session_state.get(TAKEN, 0) + 1


def _preset_place(name: str) -> int:
    """Return a preset's place in the row; new ones stand last."""
    return list(PRESETS).index(name) if name in PRESETS else len(PRESETS)


def preset_in_use(method: Mapping[str, Any], values: Mapping[str, Any]) -> str | None:
    """Return the name of the preset that some settings agree with; those that are not given count as default."""
    defaults = {about["name"]: about["default"] for about in method["parameters"]}
    using = defaults | values
    for name, settings in method["presets"].items():
        if all(same(using[part], value) for part, value in (defaults | settings).items()):
            return str(name)
    return None


def pick_basics(method: Mapping[str, Any]) -> dict[str, Any]:
    """Draw the basic controls but the budget two abreast, each with its consequence; return their values."""
    names = [name for name in BASICS if name in method["basic"]]
    if not names:
        return {}
    rows = [st.columns(2, gap="small") for _ in names[::2]]
    places = [place.container(gap="xxsmall") for row in rows for place in row]
    return settings_form(method, names, explain=True, places=places)


def pick_budget(method: Mapping[str, Any], budgets: Sequence[str]) -> dict[str, Any]:
    """Draw the budget of the chosen attack, which the preview answers to at once; return its value."""
    return settings_form(method, budgets, explain=True)


def budgets_of(attack: str | None, attacks: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the budget that an attack reads, one of two; none for a method that attacks nothing."""
    return [name for name in BUDGETS if name in attacks.get(attack or "", ())]


def pick_rest(method: Mapping[str, Any], engine: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Draw all other settings, folded and in groups, with seed and device; return {"settings", "seed", "device"}.

    Args:
        method: as the engine describes it.
        engine: the engine's answer.
        chosen: the settings that are drawn elsewhere.
    """
    groups = groups_of(method, set(chosen) | idle(chosen, engine["attacks"]))
    values: dict[str, Any] = {}
    folded = st.expander("All settings", key="all-settings", on_change="rerun")
    if not folded.open:  # drawn when opened: the browser draws the page again at every look at a run
        held = [name for names in groups.values() for name in names]
        return {"settings": settings_held(method, held)} | _place_held(engine["devices"])
    with folded:
        tabs = st.tabs(list(groups))
    for tab, (group, names) in zip(tabs, groups.items(), strict=True):
        with tab, st.container(gap="xsmall"):
            if group == "Labels" and not names:
                st.caption(FOR_INFLUENCE)
            values |= settings_form(method, names, explain=False)
            if group == "Loop":
                place = _pick_place(engine["devices"])
    return {"settings": values} | place


def _place_held(devices: Sequence[str]) -> dict[str, Any]:
    """Return seed and device without drawing them."""
    device = st.session_state.get("device")
    return {"seed": int(st.session_state.get("seed", 0)), "device": device if device in devices else devices[0]}


def _pick_place(devices: Sequence[str]) -> dict[str, Any]:
    """Draw seed and device; return both."""
    seed = number_field("Seed", 0, MOST_SEED, key="seed", help=help_for("Seed"), persist_state="session")
    where = "auto: the worker's own."
    device = st.selectbox("Device", devices, key="device", help=where, persist_state="session")
    return {"seed": int(seed), "device": device}


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


def idle(chosen: Mapping[str, Any], attacks: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the settings that the chosen attack and label mode do not read."""
    unread = {name for names in attacks.values() for name in names} - set(attacks.get(str(chosen.get("attack")), ()))
    labels = str(chosen.get("label_mode", INFLUENCE)).startswith(INFLUENCE)
    return unread | (set() if labels else set(SETTING_GROUPS["Labels"]))


def attack_settings(values: Mapping[str, Any], attacks: Mapping[str, Sequence[str]]) -> dict[str, Any] | None:
    """Return the attack and what it reads, out of all settings drawn; None for a method that attacks nothing."""
    if "attack" not in values:
        return None
    return {name: values[name] for name in ("attack", *attacks[values["attack"]])}


def asked(
    choice: Choice, forget: Sequence[int], method: Mapping[str, Any], chosen: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the run that the form asks for, as a job is given it.

    Args:
        choice: model and data.
        forget: the classes to forget.
        method: as the engine describes it.
        chosen: {"settings", "seed", "device"}, maybe "hold_out"; settings that are at their default are left out.
    """
    config = RunConfig(
        choice.data,
        str(choice.checkpoint),
        tuple(forget),
        method["name"],
        changed(method, chosen["settings"]),
        chosen["seed"],
        chosen["device"],
        hold_out=chosen.get("hold_out") or 0.0,
    )
    return config.to_job(
        class_names=[choice.class_names[label] for label in forget],
        all_names=None if says_names(choice.checkpoint) else list(choice.class_names),
        made=made_of(choice.checkpoint, choice.data),
    )


def submit(config: Mapping[str, Any]) -> None:
    """Queue a run that was asked for, and look at it."""
    show_run(job_store().submit("unlearn", config, device=config.get("device", "auto")).id)


def equal_run(config: Mapping[str, Any]) -> Job | None:
    """Return a finished run of the same settings, seed, model, data and engine."""
    known = job_store().recall("unlearn", config)
    return known if known is not None and known.state == State.DONE else None


def offer(known: Job) -> None:
    """Say that what is asked for has been made already, and lead there."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"Run {known.number} has the same settings and seed, on the same model and data.", width="content")
        if st.button(f"Open run {known.number}", key="open-equal", type="tertiary"):
            show_run(known.id)
            st.rerun()
