"""What a visitor types into a form, and presses."""

from __future__ import annotations

from tests.e2e.waiting import LONG


def set_number(page, name, value):
    field = page.get_by_role("spinbutton", name=name, exact=True)
    field.fill(str(value))
    field.press("Tab")


def press(page, name, wanted, times=8):
    """Press a button of a panel that is redrawn every second, until what it does is seen.

    On a machine that is short of processor time a press can fall into a redraw and be lost (seen in 1 of 10 runs with
    five busy processes on two cores; why is not known). A person presses again, and so does this.
    """
    from playwright.sync_api import TimeoutError as Late

    for left in reversed(range(times)):
        page.get_by_role("button", name=name).click()
        try:
            wanted.wait_for(timeout=LONG / times)
        except Late:
            if not left:
                raise
        else:
            return
