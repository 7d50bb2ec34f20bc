"""The Forget page's form in its address: a reload, or whoever is sent the link, finds it as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.forget.form import MOST_SEED, fill_form
from ui.shell.settings_form import FORM_HELD
from ui.shell.url_params import write_word
from zspag_core.methods.catalogue import method_entries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ui.shell.selection import Choice
    from zspag_core.jobs import Job

WORD, READ, SHOWN = "form", "form_read", "form_shows"
USUAL: dict[str, Any] = {"forget": [], "method": "zspag", "settings": {}, "seed": 0}


def read_form(choice: Choice, run: Job | None) -> None:
    """Fill the form before it is drawn: from the address, once a session, and from every run that is opened.

    What the address says goes before the run that it opens; what makes no sense there is left out.

    Args:
        choice: model and data that the form is about.
        run: the one that is open.
    """
    opened = run is not None and run.id != st.session_state.get(SHOWN)
    st.session_state[SHOWN] = run.id if run is not None else None
    if READ not in st.session_state:
        st.session_state[READ] = True
        asked = parse(st.query_params.get(WORD), len(choice.class_names))
        if asked != USUAL:
            fill_form(choice.checkpoint.stem, len(choice.class_names), asked)
            return
    if run is not None and opened and is_of(run, choice):
        fill_form(choice.checkpoint.stem, len(choice.class_names), run.config)


def is_of(run: Job, choice: Choice) -> bool:
    """Tell whether a run is of the model that a form is about."""
    return Path(str(run.config.get("checkpoint"))) == choice.checkpoint


def keep_form(forget: Sequence[int], method: str, settings: Mapping[str, Any], seed: int) -> None:
    """Write what the form holds into the address, and keep it for a sweep that starts from it.

    Args:
        forget: the classes ticked.
        method: key of the method.
        settings: those that differ from its defaults.
        seed: of everything random.
    """
    held = {"forget": list(forget), "method": method, "settings": dict(settings), "seed": seed}
    st.session_state[FORM_HELD] = held
    changed = {name: value for name, value in held.items() if value != USUAL[name]}
    write_word(WORD, json.dumps(changed, separators=(",", ":"), sort_keys=True), usual="{}")


def parse(word: str | None, num_classes: int) -> dict[str, Any]:
    """Return what a word of the address says of the form, with the usual where it says nothing that can be meant.

    Settings are not checked here: the method's schema does that when its widgets are filled.

    Args:
        word: JSON, or anything that a person may have made of it.
        num_classes: of the model.
    """
    try:
        said = json.loads(word or "{}")
    except ValueError:
        said = None
    found = {name: said[name] for name in USUAL if name in said} if isinstance(said, dict) else {}
    forget, seed = found.get("forget"), found.get("seed")
    if not isinstance(forget, list) or not all(type(k) is int and 0 <= k < num_classes for k in forget):
        found.pop("forget", None)
    if found.get("method") not in method_entries():
        found.pop("method", None)
    if not isinstance(found.get("settings"), dict):
        found.pop("settings", None)
    if type(seed) is not int or not 0 <= seed <= MOST_SEED:
        found.pop("seed", None)
    return USUAL | found
