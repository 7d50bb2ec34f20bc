"""What a run will be waited for is made while its form stands."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.shell.follow import follow, progress_of
from ui.shell.jobs import ask_alone
from zspag_core.jobs import State
from zspag_core.jobs.records import AHEAD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.jobs import Job

LOOK_SECONDS = 2.0
SWITCH = "ZSPAG_AHEAD"
COMES = "What this run begins with is prepared as soon as the worker is free."
READY = "Prepared: what this run begins with is made."


def wish(config: Mapping[str, Any], method: Mapping[str, Any]) -> None:
    """Wish for what a run begins with, and say how far it is; ZSPAG_AHEAD=0 keeps the machine quiet instead.

    Args:
        config: of the run, as a job is given it.
        method: as the engine describes it.
    """
    if os.environ.get(SWITCH, "1") != "0":
        follow(ask_alone(AHEAD, beginning_of(config, method), config.get("device", "auto")), _say, LOOK_SECONDS)


def beginning_of(config: Mapping[str, Any], method: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's config without the settings that what it begins with does not depend on."""
    settings = config.get("settings", {})
    return {**config, "settings": {name: value for name, value in settings.items() if name in method["beginning"]}}


def _say(job: Job) -> None:
    """Say how far it is; of what failed or was dropped nobody needs to know."""
    if job.active:
        st.caption(COMES if job.state == State.QUEUED else f"Preparing while you look: {progress_of(job)[0]}")
    elif job.state == State.DONE:
        st.caption(READY)
