"""What one row of a table is to hold, and what is turned when its method is tuned."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.methods.catalogue import TuningRange


@dataclass(frozen=True, kw_only=True)
class RowPlan:
    """One row that is to be filled.

    Attributes:
        key: names the row.
        label: what a person reads.
        method: key of the method; None for the original model.
        kind: as in :class:`~zspag_core.reproduce.comparison.Row`.
        settings: hyper-parameters that differ from the method's defaults.
        knob: what is tuned; None for a row with given settings.
        blind: whether tuning is judged by what a zero-shot method may see, proxies and held-out forget images, not by
            held-out remaining images.
        paper: key of the row in the paper's table.
        seeds: most seeds that are run; None for as many as are asked for.
    """

    key: str
    label: str
    method: str | None
    kind: str = "default"
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    knob: TuningRange | None = None
    blind: bool = False
    paper: str = ""
    seeds: int | None = None
