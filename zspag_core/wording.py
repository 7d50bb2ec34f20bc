"""Texts that files brought along, made fit to be shown, sent and stored."""

from __future__ import annotations

import re

_BLANKS = re.compile(r"\s+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def well_formed(text: str) -> str:
    """Return a text that can be written as UTF-8.

    Halves of characters, which JSON and pickles may hold, and places outside of Unicode, which NumPy's may, are written
    out.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8", "backslashreplace")


def on_one_line(text: str) -> str:
    r"""Return a well-formed text whose line breaks are blanks and whose control characters are written out (\x1b)."""
    unbroken = _BLANKS.sub(lambda found: " " if found[0].strip(" ") else found[0], well_formed(text))
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", unbroken)
