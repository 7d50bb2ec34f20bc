"""The page that asks for the code of the class; the only one that needs no pass."""

from __future__ import annotations

import base64
import html
from functools import cache
from pathlib import Path
from string import Template
from urllib.parse import quote

from zspag_core.shipped import ASSETS
from zspag_core.visitors.passes import NAME_LETTERS


def join_page(after: str, *, name: str = "", why: str = "") -> str:
    """Return the page.

    Args:
        after: the address to go on to.
        name: what the visitor wants to be called, as far as it was said.
        why: why the last try was refused.
    """
    said = f'<p class="why" role="alert">{html.escape(why)}</p>' if why else ""
    return _template().substitute(
        next=quote(after, safe=""), name=html.escape(name, quote=True), why=said, letters=NAME_LETTERS, icon=_icon()
    )


@cache
def _template() -> Template:
    return Template(Path(__file__).with_name("join.html").read_text(encoding="utf-8"))


@cache
def _icon() -> str:
    return "data:image/png;base64," + base64.b64encode((ASSETS / "icon.png").read_bytes()).decode()
