"""What the methods are called in lists and tables, and what each does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ui.results import setting_text
from ui.words import choice_label, knob_label, levels_text
from zspag_core.method_names import METHOD_NAMES, REFERENCES

if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL = "zspag"
TOLD = 2  # so many settings are told beside a method's name

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
    """Return a run's method with the first settings that were given; a reference's, a whole recipe, are left out."""
    name = method_name(config)
    settings = {} if config.get("method") in REFERENCES else dict(config.get("settings") or {})
    given = sorted(settings.items(), key=lambda item: not isinstance(item[1], str))  # a mode tells more than a number
    told = [_told(*item) for item in given[:TOLD]]
    more = [f"{len(given) - TOLD} more"] if len(given) > TOLD else []
    return f"{name} ({', '.join(told + more)})" if told else name


def _told(name: str, value: Any) -> str:  # noqa: ANN401 - any setting
    """Write a setting in few letters: a symbol where it has one, a budget in pixel levels as papers write it."""
    if name == "epsilon":
        text = levels_text(value)
    else:
        text = choice_label(value) if isinstance(value, str) else setting_text(value)
    symbol, dot, _ = knob_label(name).partition(" · ")
    return f"{symbol if dot else name.replace('_', ' ')} {text}"
