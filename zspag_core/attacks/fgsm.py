"""Fast gradient sign method (Goodfellow et al., 2015)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch.nn import functional as F

from zspag_core.attacks.base import Attack
from zspag_core.hyperparameters import knob

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.attacks.base import State, TargetScores


@dataclass(frozen=True, kw_only=True)
class FGSM(Attack):
    """One step of full length along the sign of the gradient of the target's cross-entropy.

    Source: Goodfellow et al., 2015, section 4, with the sign turned for a target.
    """

    epsilon: float = knob(
        8 / 255, "Largest change of a pixel.", minimum=0.0, maximum=1.0, unit="pixel range", basic=True
    )

    @property
    def gradients(self) -> int:
        """One gradient in all."""
        return 1

    def objective(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the cross-entropy of the target, (n,)."""
        return F.cross_entropy(logits, targets, reduction="none")

    def step(self, state: State, reading: TargetScores, gradient: Tensor) -> State:
        """Take the one step and clamp to [0, 1]."""
        return {"image": (state["image"] - self.epsilon * gradient.sign()).clamp(0.0, 1.0)}
