"""The trivial reference: forgotten logits are never the largest. Nothing is learnt, nothing is forgotten inside."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from zspag_core.memory import FORGETFUL, Memory
from zspag_core.methods.base import Unlearned, ZeroShotMethod, timed
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier

MASKED_LOGIT = -1e4  # its softmax is 0 in float32, and unlike -inf it can be saved in a checkpoint


@dataclass(frozen=True, kw_only=True)
class Mask(ZeroShotMethod):
    """Set the head's rows of the forgotten classes so that their logits are a large negative constant."""

    name: ClassVar[str] = "mask"
    title: ClassVar[str] = "Mask the logits"

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        *,
        generator: torch.Generator,
        report: Reporter = SILENT,
        memory: Memory = FORGETFUL,
    ) -> Unlearned:
        """Mask the forgotten logits."""
        run = Unlearned(copy.deepcopy(model))
        with timed(run.seconds, "unlearn"), torch.no_grad():
            run.model.head.weight[list(classes)] = 0.0
            run.model.head.bias[list(classes)] = MASKED_LOGIT
        report.progress("unlearn", 1, 1)
        return run
