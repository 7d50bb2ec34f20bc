"""What any work of a run has at hand: its source of randomness, who is told, and what is finished already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zspag_core.progress import SILENT, Reporter
from zspag_core.runs.stage_cache import NO_CACHE, StageCache

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class RunContext:
    """What a method works with, besides the model and its samples.

    Attributes:
        generator: source of randomness, on the CPU.
        report: receives progress, and the model after every epoch.
        cache: what an earlier attempt at the very same has finished, and where this one keeps what it finishes; the
            outcome is the same with and without it.
    """

    generator: torch.Generator
    report: Reporter = SILENT
    cache: StageCache = NO_CACHE
