"""DeepFool (Moosavi-Dezfooli et al., 2016), towards a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from zspag_core.attacks.base import Attack, into_ball, per_sample
from zspag_core.hyperparameters import knob

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.attacks.base import State, TargetScores


@dataclass(frozen=True, kw_only=True)
class DeepFool(Attack):
    """Newton-like steps onto the linearised boundary between the target and the class that beats it most.

    The source picks the nearest of all boundaries; towards a target every class that beats it has to be passed, the
    strongest first. The boundary is where the target has the confidence asked for (see `shortfall`), so the pushes
    beyond the plain boundary are steps of the same kind.

    Source: Moosavi-Dezfooli et al., 2016, algorithm 2.
    """

    epsilon_l2: float = knob(
        2.0, "Largest Euclidean length of the perturbation.", minimum=0.0, unit="pixel range", basic=True
    )
    steps: int = knob(20, "Steps at most.", minimum=1, maximum=1000, basic=True)
    overshoot: float = knob(0.02, "Share by which every step goes beyond the boundary.", minimum=0.0, maximum=1.0)

    @property
    def gradients(self) -> int:
        """One gradient per step."""
        return self.steps

    def objective(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return what the target's logit falls short of, (n,)."""
        return self.shortfall(logits, targets)

    def step(self, state: State, reading: TargetScores, gradient: Tensor) -> State:
        """Take the least step that closes the linearised shortfall, over the pixels that can still move."""
        image = state["image"]
        stuck = ((image <= 0) & (gradient > 0)) | ((image >= 1) & (gradient < 0))
        gradient = torch.where(stuck, 0.0, gradient)
        squared = gradient.square().flatten(1).sum(1).clamp_min(1e-12)
        length = (1 + self.overshoot) * reading.shortfall.clamp_min(0.0).nan_to_num(nan=0.0, posinf=0.0) / squared
        return {"image": into_ball(image - per_sample(length) * gradient, state["clean"], self.epsilon_l2)}
