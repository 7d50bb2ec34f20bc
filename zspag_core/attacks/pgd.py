"""Projected gradient descent (Madry et al., 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from zspag_core.attacks.base import Attack
from zspag_core.hyperparameters import knob

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.attacks.base import State, TargetScores


@dataclass(frozen=True, kw_only=True)
class PGD(Attack):
    """Steps along the sign of the gradient of the target's cross-entropy, each put back into the L∞ ball.

    Source: Madry et al., 2017, section 2.1, with the sign turned for a target.
    """

    epsilon: float = knob(
        8 / 255, "Largest change of a pixel.", minimum=0.0, maximum=1.0, unit="pixel range", basic=True
    )
    steps: int = knob(10, "Steps at most.", minimum=1, maximum=1000, basic=True)
    step_size: float = knob(0.25, "Length of one step as a share of epsilon.", minimum=0.0, maximum=2.0, unit="epsilon")
    random_start: bool = knob(default=False, help="Start at a random point of the ball instead of the clean image.")

    @property
    def gradients(self) -> int:
        """One gradient per step."""
        return self.steps

    def begin(self, clean: Tensor, generator: torch.Generator) -> State:
        """Start at the clean images, or at a uniform draw from the ball."""
        if not self.random_start:
            return {"image": clean}
        noise = torch.rand(clean.shape, generator=generator, device=generator.device, dtype=clean.dtype)
        return {"image": (clean + self.epsilon * (2 * noise.to(clean.device) - 1)).clamp(0.0, 1.0)}

    def objective(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the cross-entropy of the target, (n,)."""
        return F.cross_entropy(logits, targets, reduction="none")

    def step(self, state: State, reading: TargetScores, gradient: Tensor) -> State:
        """Step against the gradient's sign and put the result back into the ball and into [0, 1]."""
        clean = state["clean"]
        image = state["image"] - self.step_size * self.epsilon * gradient.sign()
        image = image.clamp(clean - self.epsilon, clean + self.epsilon)
        return {"image": image.clamp(0.0, 1.0)}
