"""How long the browser tests wait, and for what."""

from __future__ import annotations

import time

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
