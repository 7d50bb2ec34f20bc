"""How much one visitor sends: what is uploaded lies in the server's memory before any page sees it."""

from __future__ import annotations

import time
from collections import deque

WITHIN_SECONDS = 3600.0
AT_MOST = 2
"""How many times what each may upload the door lets through: the page says a limit in words, this is for programs."""


class Volume:
    """Bytes of the last hour, by visitor."""

    def __init__(self, limit_mb: float) -> None:
        """Begin without any.

        Args:
            limit_mb: what each may upload an hour.
        """
        self._sent: deque[tuple[float, str, int]] = deque()
        self._most = AT_MOST * limit_mb * 1e6

    def let(self, visitor: str, size: int, now: float | None = None) -> bool:
        """Tell whether so many bytes more may come, and count them if so."""
        at = time.monotonic() if now is None else now
        while self._sent and self._sent[0][0] < at - WITHIN_SECONDS:
            self._sent.popleft()
        if size + sum(sent for _, who, sent in self._sent if who == visitor) > self._most:
            return False
        self._sent.append((at, visitor, size))
        return True
