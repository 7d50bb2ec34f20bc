"""POUR-P: what features say of the forgotten classes is projected out, in closed form."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from zspag_core.devices import exact
from zspag_core.hyperparameters import knob
from zspag_core.methods.base import Unlearned, ZeroShotMethod, timed
from zspag_core.metrics.predictions import outputs_of
from zspag_core.progress import AsStage, Reporter

if TYPE_CHECKING:
    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier
    from zspag_core.runs.context import RunContext

NONE = 1e-9  # of the longest direction: what is shorter is rounding


@dataclass(frozen=True, kw_only=True)
class PourP(ZeroShotMethod):
    """Replace penultimate features h by (I - V Vᵀ) h, where V spans the directions of the forgotten classes.

    Where features have collapsed, class means and the rows of the last layer point the same ways, those of a simplex;
    a simplex seen along one of its corners is again one, so the remaining classes stay as far from each other as can
    be. The projection is folded into the last layer, W (I - V Vᵀ): the outputs are those of projected features.

    Source: Le, Peng, Liu and Noble, 2025 (POUR), the closed-form variant.
    """

    name: ClassVar[str] = "pour_p"

    direction: str = knob(
        "weights",
        "Where a class's direction is read: its row of the last layer, or its forget samples' mean feature.",
        choices=("weights", "features"),
        basic=True,
    )

    def unlearn(
        self,
        model: Classifier,
        forget: Split,
        classes: tuple[int, ...],
        context: RunContext,
    ) -> Unlearned:
        """Project, once."""
        run = Unlearned(model)
        with timed(run.seconds, "unlearn"):
            found = self.directions(model, forget, classes, context.report)
            run.model = projected(model, found)
        context.report.progress("unlearn", 1, 1)
        return run

    def directions(self, model: Classifier, forget: Split, classes: tuple[int, ...], report: Reporter) -> Tensor:
        """Return one direction a forgotten class, (k, D) float64, on the CPU where the device has no such numbers."""
        if self.direction == "weights":
            rows = exact(model.head.weight.detach()).flatten(1)
            return (rows - rows.mean(0))[list(classes)]
        features = exact(outputs_of(model, forget.images, report=AsStage(report, "unlearn")).features)
        present = [k for k in classes if bool((forget.labels == k).any())]
        return torch.stack([features[forget.labels == k].mean(0) for k in present])


@torch.no_grad()
def projected(model: Classifier, directions: Tensor) -> Classifier:
    """Return a copy whose last layer does not see what lies along some directions (k, D)."""
    changed, weight = copy.deepcopy(model), exact(model.head.weight).flatten(1)  # of a 1x1 convolution, too
    basis, lengths, _ = torch.linalg.svd(directions.T.to(weight.device), full_matrices=False)
    basis = basis[:, lengths > lengths.max() * NONE]  # (D, rank)
    changed.head.weight.copy_((weight - weight @ basis @ basis.T).view_as(changed.head.weight))
    return changed
