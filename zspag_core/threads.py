"""How many threads this process and those it starts compute with, and how these wait for one another."""

from __future__ import annotations

import os
import sys
from pathlib import Path

WAITING, SPINNING = "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"  # read once, by OpenMP as torch loads it
NUMBER, OF_MKL = "OMP_NUM_THREADS", "MKL_NUM_THREADS"
"""Read once, too; of both, torch follows the second one where it is there, as in the processes of Dask."""
AS_ASKED = "MKL_DYNAMIC"  # unless it is FALSE, MKL takes no more threads than there are cores


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


SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
"""Where Linux lists the processors that are threads of the same core."""


def usable_cores() -> int:
    """Return how many cores this process may use: the threads that it computes with when nobody says otherwise.

    A core that runs two threads at once counts once, as it does for MKL and so for torch.
    """
    if sys.platform != "linux":
        return os.cpu_count() or 1
    return len({_core_of(processor) for processor in os.sched_getaffinity(0)})


def _core_of(processor: int) -> str:
    """Return what is the same for all processors of one core; the processor itself where that is not known."""
    try:
        return Path(SIBLINGS.format(processor)).read_text().strip()
    except OSError:
        return str(processor)


def use_threads(number: int) -> None:
    """Compute with so many threads, in this process and in those it starts."""
    os.environ |= {NUMBER: str(number), OF_MKL: str(number), AS_ASKED: "FALSE"}
    if "torch" in sys.modules:  # which has read the environment already
        import torch

        torch.set_num_threads(number)


def share_cores(workers: int) -> None:
    """Compute with the share of one of several workers on this machine, unless OMP_NUM_THREADS says with how many.

    Two workers with all cores each are in each other's way, see docs/tuning.md.

    Args:
        workers: how many compute side by side, this process or processes that it starts.
    """
    if workers > 1 and NUMBER not in os.environ:
        use_threads(max(1, usable_cores() // workers))


def chosen_threads() -> dict[str, str]:
    """Return what a process in another environment, such as Dask's, needs in its own to compute as this one would."""
    return dict.fromkeys((NUMBER, OF_MKL), os.environ[NUMBER]) if NUMBER in os.environ else {}
