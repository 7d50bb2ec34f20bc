"""Where comparisons are filled: folder, scale, device, seeds, and who is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core.devices import device_name
from zspag_core.progress import SILENT, Reporter
from zspag_core.reproduce.cells import Cells

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

    from zspag_core.reproduce.row_plan import RowPlan
    from zspag_core.reproduce.scale import Scale


class Context:
    """What every row of a comparison is filled with.

    Attributes:
        device_name: what computes, or has computed, as a reader must know it.
    """

    def __init__(
        self,
        out: Path,
        scale: Scale,
        *,
        device: torch.device,
        seeds: int = 3,
        report: Reporter = SILENT,
        tell: Callable[[str], None] = lambda _text: None,
        depth: bool = False,
    ) -> None:
        """Start.

        Args:
            out: folder of cells, trained originals and comparisons.
            scale: how much is computed.
            device: where.
            seeds: how many seeds a row has: 0, 1, ...
            report: may raise Cancelled.
            tell: receives one line a finished cell.
            depth: whether every stage of each row's network is asked, too.
        """
        self.out, self.scale, self.device, self.seeds, self.depth = out, scale, device, seeds, depth
        self.report, self.tell, self.device_name = report, tell, device_name(device)
        self.cells = Cells(out / "cells")

    def seeds_of(self, plan: RowPlan) -> int:
        """Return how many seeds a row has."""
        return min(self.seeds, plan.seeds or self.seeds)
