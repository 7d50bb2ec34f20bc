"""What one comparison is about, before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.reproduce.row_plan import RowPlan
    from zspag_core.reproduce.scale import Scale
    from zspag_core.reproduce.setups import Setup


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One comparison that is to be made.

    Attributes:
        name: of the comparison.
        title: a headline.
        question: what it answers.
        setup: the original and its data.
        forget: the forgotten classes.
        plans: its rows.
        paper: the paper's figures by row key.
        deep: whether relearning is measured.
        timing: whether seconds are what it is about: then nothing is shared between cells.
        notes: what a reader must know.
        on_request: whether it is made only where it is named: it is not in the paper.
        scale: its own sizes; None for those that were asked for.
    """

    name: str
    title: str
    question: str
    setup: Setup
    forget: tuple[int, ...]
    plans: Sequence[RowPlan]
    paper: Mapping[str, Mapping[str, float]]
    deep: bool = True
    timing: bool = False
    notes: tuple[str, ...] = ()
    on_request: bool = False
    scale: Scale | None = None
