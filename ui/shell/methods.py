"""What the methods are called in lists and tables, and what each does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ui.shell.formatting import escape, setting_text
from ui.shell.words import choice_label, knob_label, levels_text
from zspag_core.methods.catalogue import method_entries, references

if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL = "zspag"
NAMED_SETTINGS = 2  # so many settings stand beside a method's name


def method_summary(key: str) -> str:
    """Return what a method does, in one sentence; nothing of one that is not known any more."""
    entry = method_entries().get(key)
    return "" if entry is None else entry.summary


def method_card(key: str) -> str:
    """Return where a method comes from, its official settings and what differs here, in Markdown; "" if not known."""
    entry = method_entries().get(key)
    if entry is None:
        return ""
    lines = [f"**Source**: {escape(entry.source)}."]
    if entry.official:
        settings = ", ".join(_setting(name, value) for name, value in entry.official.items())
        lines.append(f"**Settings of its own program** (preset Official): {escape(settings)}.")
    if entry.deviations:
        lines.append("**What differs here**: " + " ".join(map(escape, entry.deviations)))
    return "\n\n".join(lines)


def method_name(config: Mapping[str, Any]) -> str:
    """Return the short name of the method that a run's config asks for."""
    key = str(config.get("method", USUAL))
    entry = method_entries().get(key)
    return key if entry is None else entry.short


def way_name(config: Mapping[str, Any]) -> str:
    """Return a run's method with the first settings that were given; a reference's, a whole recipe, are left out."""
    name = method_name(config)
    settings = {} if config.get("method") in references() else dict(config.get("settings") or {})
    given = sorted(settings.items(), key=lambda item: not isinstance(item[1], str))  # a mode tells more than a number
    named = [_setting(*item) for item in given[:NAMED_SETTINGS]]
    more = [f"{len(given) - NAMED_SETTINGS} more"] if len(given) > NAMED_SETTINGS else []
    return f"{name} ({', '.join(named + more)})" if named else name


def _setting(name: str, value: Any) -> str:  # noqa: ANN401 - any setting
    """Write a setting in few letters: a symbol where it has one, a budget in pixel levels as papers write it."""
    if name == "epsilon":
        text = levels_text(value)
    else:
        text = choice_label(value) if isinstance(value, str) else setting_text(value)
    symbol, dot, _ = knob_label(name).partition(" · ")
    return f"{symbol if dot else name.replace('_', ' ')} {text}"
