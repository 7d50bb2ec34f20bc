"""The trivial reference: forgotten logits are never the largest. Nothing is learnt, nothing is forgotten inside."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from zspag_core.errors import UsageError
from zspag_core.methods.base import Unlearned, ZeroShotMethod, timed
from zspag_core.methods.catalogue import find_entry
from zspag_core.models.base import evaluating

if TYPE_CHECKING:
    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext

MASKED_LOGIT = -1e4  # its softmax is 0 in float32, and unlike -inf it can be saved in a checkpoint


@dataclass(frozen=True, kw_only=True)
class Mask(ZeroShotMethod):
    """Set the head's rows of the forgotten classes so that their logits are a large negative constant."""

    name: ClassVar[str] = "mask"

    def check(self, model: Classifier, classes: tuple[int, ...]) -> None:
        """Refuse a head whose outputs are no logits that can be set."""
        title = find_entry(self.name).title
        if model.head.bias is None:
            raise UsageError(f"{title}: expected a network whose last layer has a bias, got one without")
        probe = _masked(model, classes)
        pixels = torch.zeros(1, model.config.channels, *[model.config.image_size] * 2, device=model.head.weight.device)
        with torch.inference_mode(), evaluating(probe):
            if probe(pixels)[0, list(classes)].max() > MASKED_LOGIT / 2:
                raise UsageError(f"{title}: expected a network that ends in its head, got one that goes on after it")

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Mask the forgotten logits."""
        run = Unlearned(model)
        with timed(run.seconds, "unlearn"):
            run.model = _masked(model, classes)
        context.report.progress("unlearn", 1, 1)
        return run


@torch.no_grad()
def _masked(model: Classifier, classes: tuple[int, ...]) -> Classifier:
    """Return a copy whose head never answers with some classes."""
    masked = copy.deepcopy(model)
    masked.head.weight[list(classes)] = 0.0
    masked.head.bias[list(classes)] = MASKED_LOGIT
    return masked
