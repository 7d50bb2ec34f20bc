"""How the threads of this process wait for one another."""

from __future__ import annotations

import os

WAITING, SPINNING = "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"  # read once, by OpenMP as torch loads it


def rest_while_waiting() -> bool:
    """Let threads that wait sleep, as long as torch is not loaded and nobody has chosen otherwise.

    A thread of torch that is done before the others turns in a loop until they are. Where something else wants its
    core, a browser or a second run, the others wait for the core meanwhile: see docs/benchmark.md for what that costs.

    Returns:
        Whether this process, and those it starts, wait asleep for it.
    """
    if WAITING in os.environ or SPINNING in os.environ:
        return False
    os.environ[WAITING] = "PASSIVE"
    return True
