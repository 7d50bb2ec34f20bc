"""How far a table is, and how long the rest will take."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Eta:
    """Counts cells and estimates the rest from those that were measured, method by method."""

    def __init__(self, planned: Sequence[tuple[str, int]]) -> None:
        """Take the cells that are planned, as pairs of a method and a number of cells."""
        self.left: dict[str, int] = {}
        for method, count in planned:
            self.left[method] = self.left.get(method, 0) + count
        self.total, self.done = sum(self.left.values()), 0
        self.measured: dict[str, list[float]] = {}

    def tick(self, method: str, seconds: float | None) -> str:
        """Note a cell that is finished, with its seconds unless it was there already; return where the table is."""
        self.done += 1
        self.left[method] -= 1
        if seconds is not None:
            self.measured.setdefault(method, []).append(seconds)
        rest = self.rest()
        return f"[{self.done}/{self.total}]" if rest is None else f"[{self.done}/{self.total}, {_said(rest)} left]"

    def rest(self) -> float | None:
        """Return the seconds that the cells left will take, None as long as none was measured."""
        if not self.measured:
            return None
        overall = fmean(second for seconds in self.measured.values() for second in seconds)
        return sum(count * fmean(self.measured.get(method, [overall])) for method, count in self.left.items())


def _said(seconds: float) -> str:
    """Say a time in minutes, or in seconds below two minutes."""
    return f"about {seconds:.0f} s" if seconds < 120 else f"about {seconds / 60:.0f} min"
