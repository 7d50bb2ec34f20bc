"""What the methods are called in lists and tables, and what each does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ui.results import setting_text
from ui.words import PIXEL_LEVELS
from zspag_core.method_names import METHOD_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL = "zspag"
TOLD = 2  # so many changed settings are told beside a method's name
LETTERS = {"epsilon": "ε", "epsilon_l2": "ε₂", "energy": "τ"}

METHOD_HELP = {
    "zspag": "Proxies, pseudo-labels, and steps in the free directions only.",
    "posterior": "Teaches forget samples the model's own other guesses; nothing is protected.",
    "finetune_zs": "Teaches forget samples random other labels; nothing is protected.",
    "mask": "Blocks the forgotten outputs; learns nothing.",
    "retrain": "Trains anew without the forgotten classes.",
    "finetune": "Trains on remaining data, and on forget samples with random labels.",
    "neggrad": "Climbs the loss of forget samples while remaining data holds the rest.",
    "neggrad_zs": "Climbs the loss of forget samples; nothing holds the rest.",
    "badt": "Imitates a know-nothing teacher on forget samples and the original on remaining data.",
    "badt_zs": "Imitates a know-nothing teacher on forget samples.",
    "salun": "Random labels and remaining data, moving only the weights that matter most for forget samples.",
    "salun_zs": "Random labels, moving only the weights that matter most for forget samples.",
    "fisher": "Adds noise to the weights that remaining data needs least.",
    "boundary_shrink": "Teaches each forget sample the class beyond its nearest boundary.",
    "gkt": "Distils the rest into a new network with made-up images; sees no data at all.",
}
"""What a method does, in one sentence."""

GONE = 5.0
"""Percent of the forgotten test images still recognised, up to which a class counts as forgotten."""


def method_name(config: Mapping[str, Any]) -> str:
    """Return the short name of the method that a run's config asks for."""
    key = str(config.get("method", USUAL))
    return METHOD_NAMES.get(key, key)


def way_name(config: Mapping[str, Any]) -> str:
    """Return a run's method with the first of its changed settings: two runs of one method do not look alike."""
    settings = dict(config.get("settings") or {})
    changed = sorted(settings.items(), key=lambda item: not isinstance(item[1], str))  # a mode tells more than a number
    told = [_told(name, value) for name, value in changed[:TOLD]]
    more = [f"{len(changed) - TOLD} more"] if len(changed) > TOLD else []
    return f"{method_name(config)} ({', '.join(told + more)})" if told else method_name(config)


def _told(name: str, value: object) -> str:
    """Write a setting in few letters; a budget in pixel levels as it is written in papers."""
    levels = name == "epsilon" and isinstance(value, float)
    text = f"{PIXEL_LEVELS * value:.3g}/{PIXEL_LEVELS}" if levels else setting_text(value)
    return f"{LETTERS.get(name, name)} {text}".replace("_", " ")
