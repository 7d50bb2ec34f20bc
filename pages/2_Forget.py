from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.forget.ahead import wish
from ui.forget.form import (
    asked,
    attack_settings,
    budgets_of,
    equal_run,
    offer,
    pick_basics,
    pick_budget,
    pick_held_out,
    pick_method,
    pick_rest,
    show_presets,
    submit,
    take_preset,
)
from ui.forget.form_params import is_of, keep_form, read_form
from ui.forget.run_panel import run_panel
from ui.shell import gate
from ui.shell.class_picker import pick_classes, unfit_method
from ui.shell.embedding_map import prepare_map
from ui.shell.formatting import escape
from ui.shell.frame import frame
from ui.shell.jobs import saying_refusals
from ui.shell.number_field import meant
from ui.shell.paths import title_of
from ui.shell.placeholders import has_result, nothing_open
from ui.shell.presenting import presenting
from ui.shell.preview import preview_panel, preview_question
from ui.shell.settings_form import changed
from zspag_core.jobs import State

if TYPE_CHECKING:
    from ui.shell.selection import Choice
    from zspag_core.jobs import Job


def show_model(choice: Choice) -> None:
    """Say which model will forget, and where to take another."""
    with st.container(gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{choice.title}**", width="content")
            st.page_link("pages/1_Model.py", label="Change", icon=":material/swap_horiz:")
        st.caption(choice.summary)


def show_settings(choice: Choice, forget: list[int], about: Job, engine: Job) -> tuple[str, dict[str, Any], int]:
    """Draw the button, the settings and the preview; return method, changed settings and seed."""
    place = st.container(gap="xsmall")  # the button stands above the settings: the defaults are good ones
    held, budget, preview = st.container(), st.container(gap="xxsmall"), st.container()
    method, attacks = pick_method(engine.answer), engine.answer["attacks"]
    take_preset(method)
    presets = st.container(gap="xxsmall")
    values = pick_basics(method)
    with budget:
        values |= pick_budget(method, budgets_of(values.get("attack"), attacks))
    rest = pick_rest(method, engine.answer, values)
    values |= rest["settings"]
    with held:
        rest["hold_out"] = pick_held_out(about, forget)
    with presets:
        show_presets(method, values)
    attacked, busy = attack_settings(values, attacks), run is not None and run.active
    at_rest = True  # until the preview is there, the processor is wanted for that
    if attacked is not None:
        with preview:
            question = preview_question(choice, forget, attacked, rest["seed"]) if forget else None
            at_rest = preview_panel(question, choice.class_names, busy=busy)
    unfit = (about.answer["fits"] or unfit_method(method, about, forget)) if about.state == State.DONE else None
    possible = 0 < len(forget) < len(choice.class_names) and not unfit
    st.page_link("pages/9_Tune.py", label="Try many values from here", icon=":material/tune:")
    why = unfit or (None if possible else "Tick at least one class, and leave at least one.")
    config = asked(choice, forget, method, rest | {"settings": values}) if possible else None
    pressed = place.button("Forget", type="primary", key="go", width="stretch", disabled=config is None)
    with place, saying_refusals():
        if meant(pressed) and config:
            submit(config)
            st.rerun()  # not a callback: that would see what the widgets held before
    known = equal_run(config) if config else None
    with place:
        if known is not None and (run is None or known.id != run.id):
            offer(known)
        elif config and known is None and at_rest and not busy:
            wish(config, method)
    if why or busy:
        place.caption(why or "This run will wait behind the one under way.")
    return method["name"], changed(method, values), rest["seed"]


def show_form(choice: Choice, run: Job | None) -> tuple[list[int], str, dict[str, Any], int] | None:
    """Draw model, classes and settings; return what the form holds, None while the engine does not say what it has."""
    show_model(choice)
    if run is not None and not is_of(run, choice):
        other = escape(title_of(Path(str(run.config.get("checkpoint")))))
        st.caption(f":orange[This form is about {escape(choice.title)}; run {run.number} beside it is of {other}.]")
    read_form(choice, run)
    about, engine = gate.ask_about(choice)
    forget = pick_classes(choice, about)
    if gate.engine_ready(engine, "settings"):
        return forget, *show_settings(choice, forget, about, engine)
    return None


def show_guide() -> None:
    """Say how to begin, and what will be seen here."""
    with st.container(border=True):
        st.markdown(f"#### {nothing_open()}")
        st.markdown(
            "1. Tick one or more classes on the left. The preview shows what the attack makes of their images.\n"
            "2. Press **Forget**.\n\n"
            "Here you will see the stages tick off, accuracy and loss move epoch by epoch, four watched images "
            "lose or keep the model's attention, and the figures before and after."
        )


def show_run_alone(run: Job | None) -> None:
    """Draw the right side alone, for a projector."""
    if run is None:
        show_guide()
    else:
        run_panel(run)


def show(choice: Choice, run: Job | None) -> None:
    """Draw the form on the left and the run on the right."""
    if presenting():
        show_run_alone(run)
        return
    left, right = st.columns([1, 2], gap="large")
    with left, st.container(gap="small"):
        held = show_form(choice, run)
    with right:
        show_run_alone(run)
    if run is not None and has_result(run):
        prepare_map(run)
    if held is not None:
        keep_form(*held)  # last: the preview waits for nothing


run = frame("Forget", "Pick the classes, press Forget, and watch the model lose them while it keeps the rest.")
choice = gate.chosen()
if choice is not None:
    show(choice, run)
