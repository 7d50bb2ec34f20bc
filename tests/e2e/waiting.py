"""How long the browser tests wait, and for what."""

from __future__ import annotations

import time

from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

LONG = 280_000  # milliseconds; a busy machine needs minutes for what takes ten seconds


def wait_until(holds, complaint):
    """Look five times a second whether something holds; complain when it does not in a long time."""
    deadline = time.monotonic() + LONG / 1000
    while not holds():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.2)


def wait_for_end(store, jobs):
    """Wait until no job is queued or running; return them as they are then."""
    wait_until(lambda: not any(store.require(job.id).active for job in jobs), "the runs do not end")
    return [store.require(job.id) for job in jobs]


def choose(page, label, option):
    """Choose an option of a select box, opened again where the page, drawn meanwhile, has shut its list."""
    box, wanted = page.get_by_role("combobox", name=label), page.get_by_role("option", name=option)
    deadline = time.monotonic() + LONG / 1000
    while True:
        try:
            box.click(timeout=LONG)
            return wanted.click(timeout=3000)
        except PlaywrightTimeoutError:
            assert time.monotonic() < deadline, f"{label} never offers {option}"
