"""How long work says where it is, and how it is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


class Reporter:
    """Receives counted progress; this base ignores it.

    A subclass may raise :class:`zspag_core.errors.Cancelled` from any of its methods (that is how a run is cancelled)
    or block in :meth:`epoch` (that is how it is paused). The core calls at least once per batch.
    """

    def progress(self, stage: str, done: int, total: int, **figures: float) -> None:
        """Say that `done` of `total` units of `stage` are finished; `figures` are what a person may like to see."""

    def epoch(self, number: int, total: int, model: nn.Module, **figures: float) -> None:
        """Say that epoch `number` (from 1) of `total` has ended; `model` is for looking at, never for changing."""


class Relay(Reporter):
    """Passes everything on to another reporter; a subclass adds to it or changes it on the way."""

    def __init__(self, inner: Reporter) -> None:
        """Stand before `inner`."""
        self.inner = inner

    def progress(self, stage: str, done: int, total: int, **figures: float) -> None:
        """Pass progress on."""
        self.inner.progress(stage, done, total, **figures)

    def epoch(self, number: int, total: int, model: nn.Module, **figures: float) -> None:
        """Pass an epoch on."""
        self.inner.epoch(number, total, model, **figures)


SILENT = Reporter()
