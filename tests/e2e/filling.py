"""What a visitor types into a form."""

from __future__ import annotations


def set_number(page, name, value):
    field = page.get_by_role("spinbutton", name=name, exact=True)
    field.fill(str(value))
    field.press("Tab")
