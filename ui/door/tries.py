"""How often wrong codes may be told: a class that mistypes is let go on, a program that guesses is not."""

from __future__ import annotations

import time
from collections import deque

WITHIN_SECONDS = 60.0
FROM_ONE, FROM_ALL = 30, 120
"""Wrong codes a minute: a school's pupils often share one address. 120 a minute try 10 ** 9 codes in 17 years."""


class Tries:
    """Wrong codes of the last minute, by address."""

    def __init__(self) -> None:
        """Begin without any."""
        self._wrong: deque[tuple[float, str]] = deque()

    def count(self, address: str, now: float | None = None) -> None:
        """Note a wrong code."""
        self._wrong.append((time.monotonic() if now is None else now, address))

    def left(self, address: str, now: float | None = None) -> bool:
        """Tell whether an address may tell another code now."""
        start = (time.monotonic() if now is None else now) - WITHIN_SECONDS
        while self._wrong and self._wrong[0][0] < start:
            self._wrong.popleft()
        from_here = sum(other == address for _, other in self._wrong)
        return from_here < FROM_ONE and len(self._wrong) < FROM_ALL
