"""A plug-in as an outsider would write it, one method and one attack in one file; see tests/test_plugins.py."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from zspag_core.attacks import PGD
from zspag_core.attacks.catalogue import AttackEntry
from zspag_core.hyperparameters import knob
from zspag_core.methods import Unlearned, ZeroShotMethod
from zspag_core.methods.base import timed
from zspag_core.methods.catalogue import MethodEntry, TuningRange

if TYPE_CHECKING:
    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext


@dataclass(frozen=True, kw_only=True)
class Lower(ZeroShotMethod):
    """Lower the bias of the forgotten outputs."""

    name: ClassVar[str] = "lower"

    amount: float = knob(100.0, "How much is taken off.", minimum=0.1, maximum=1000.0, basic=True)

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Return a copy with lowered biases."""
        run = Unlearned(copy.deepcopy(model))
        with timed(run.seconds, "unlearn"), torch.no_grad():
            run.model.head.bias[list(classes)] -= self.amount
        return run


METHODS = [
    MethodEntry(
        key="lower",
        program=Lower,
        title="Lower the bias",
        short="Lower",
        summary="Takes a constant off the forgotten outputs.",
        source="an outsider",
        tuning=TuningRange(name="amount", low=0.1, high=1000.0),
    )
]
ATTACKS = [
    AttackEntry(key="pgd_l", title="PGD, long", program=PGD, settings={"epsilon": "epsilon", "steps": "cw_searches"})
]
