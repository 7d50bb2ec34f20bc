"""Peak memory of a piece of work."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch

if TYPE_CHECKING:
    from types import TracebackType

STATUS = Path("/proc/self/statm")
INTERVAL = 0.01  # seconds between two looks
MEBI = 2**20


class Peak:
    """While it is entered, watches the memory of this process (on CUDA: that of the device).

    `mib` is then the peak beyond what was held at the start. On Linux the resident size is looked at a hundred times a
    second; elsewhere it is the growth of the process's high-water mark, which misses what stays below an earlier one.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.mib = device, 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        """Start watching."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self._start = torch.cuda.memory_allocated(self.device)
            return self
        self._start = self._highest = resident_bytes()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching and set `mib`."""
        if self.device.type == "cuda":
            self._highest = torch.cuda.max_memory_allocated(self.device)
        else:
            self._stop.set()
            self._thread.join()
            self._highest = max(self._highest, resident_bytes())
        self.mib = (self._highest - self._start) / MEBI

    def _watch(self) -> None:
        while not self._stop.wait(INTERVAL):
            self._highest = max(self._highest, resident_bytes())


def resident_bytes() -> int:
    """Return the resident size of this process now; where the system does not say, its highest so far."""
    if STATUS.exists():
        return int(STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    if sys.platform == "win32":
        return 0  # Windows' own counters are out of reach of the standard library
    import resource

    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024
