"""Carlini and Wagner's L2 attack (2017)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from zspag_core.attacks.base import Attack, into_ball, l2_norm, per_sample
from zspag_core.hyperparameters import knob

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.attacks.base import State, TargetScores

FIRST_DECAY, SECOND_DECAY = 0.9, 0.999  # Adam's usual ones


@dataclass(frozen=True, kw_only=True)
class CarliniWagner(Attack):
    """Minimises squared L2 length + c · max(shortfall, 0) with Adam, and searches c for each sample.

    Every sample has its own c, step count and Adam moments, so that searches of one batch need not keep pace: a search
    that stalls ends at once, and the next begins where the best point so far lies (on digits 0.79 long after 35 passes,
    against 0.92 after 50 when it begins at the clean image, as in the source). The best point that reached the
    confidence is kept, else the one that came nearest. c and Adam's step are in units of what the linearised model
    needs at the clean image, so that they suit any number of pixels and any scale of logits.

    Pixels are held in [0, 1] by projection, the first of the source's three ways: the tanh of the third has no gradient
    at black and white pixels, of which small images are full.

    Source: Carlini and Wagner, 2017, sections V and VI-A.
    """

    epsilon_l2: float = knob(
        2.0, "Largest Euclidean length of the perturbation.", minimum=0.0, unit="pixel range", basic=True
    )
    steps: int = knob(20, "Steps of one search at most.", minimum=1, maximum=10000, basic=True)
    searches: int = knob(3, "How many values of c are tried for each sample.", minimum=1, maximum=20)
    initial_c: float = knob(
        1.0,
        "First weight of reaching the target against staying near.",
        minimum=1e-6,
        maximum=1e6,
        unit="least c that reaches the target of a linear model",
    )
    learning_rate: float = knob(
        0.2, "Adam's step.", minimum=1e-6, maximum=10.0, unit="least length that reaches the target of a linear model"
    )

    @property
    def gradients(self) -> int:
        """Each search reads its start and every step."""
        return self.searches * (self.steps + 1)

    def begin(self, clean: Tensor, generator: torch.Generator) -> State:
        """Start the first search at the clean images."""
        zeros = clean.new_zeros(len(clean))
        own = {"search": zeros, "low": zeros, "high": zeros + math.inf, "c": zeros, "stride": zeros}
        kept = {"kept": clean, "reached": zeros.long(), "confidence": zeros, "score": zeros + math.inf}
        return own | kept | _fresh_search(clean)

    def objective(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return what the target's logit falls short of, (n,); the length's gradient is added in closed form."""
        return self.shortfall(logits, targets)

    def keep(self, state: State, reading: TargetScores) -> State:
        """Keep the shortest perturbation that is done; before there is one, that with the least shortfall."""
        length = l2_norm(state["image"] - state["clean"])
        score = torch.where(reading.done, length, self.epsilon_l2 + 1 + reading.shortfall.clamp_min(0.0))
        better = score < state["score"]
        new = {"kept": state["image"], "reached": reading.predicted, "confidence": reading.confidence, "score": score}
        kept = {name: torch.where(_like(better, value), value, state[name]) for name, value in new.items()}
        return kept | self._watch(state, reading, length)

    def leaves(self, state: State, reading: TargetScores) -> Tensor:
        """Leave when the last search has ended, or when nothing had to be changed."""
        return (state["ended"] & (state["search"] + 1 >= self.searches)) | (state["score"] == 0)

    def step(self, state: State, reading: TargetScores, gradient: Tensor) -> State:
        """Take one step of Adam; where the search has ended, begin the next at the kept image instead."""
        state = state | self._units(state, reading, gradient)
        push = per_sample(state["c"] * (reading.shortfall > 0))
        slope = 2 * (state["image"] - state["clean"]) + push * gradient
        walking = self._adam(state, slope)
        restarted = _fresh_search(state["kept"]) | self._next_c(state, reading.done)
        ended = state["ended"]
        return {"stride": state["stride"]} | {
            name: torch.where(_like(ended, new), new, walking.get(name, state[name])) for name, new in restarted.items()
        }

    def _units(self, state: State, reading: TargetScores, gradient: Tensor) -> State:
        """Set c and Adam's step at a sample's first gradient, from the linearised model.

        There the least length is shortfall / |gradient|, and c reaches it from twice that over |gradient| on.
        """
        slope = l2_norm(gradient).clamp_min(1e-12)
        length = (reading.shortfall.clamp_min(0.0) / slope).nan_to_num(nan=0.0).clamp(1e-6, self.epsilon_l2)
        new = {
            "c": self.initial_c * 2 * length / slope,
            "stride": self.learning_rate * length / math.sqrt(gradient[0].numel()),
        }
        first = (state["search"] == 0) & (state["age"] == 0)
        return {name: torch.where(first, value, state[name]) for name, value in new.items()}

    def _watch(self, state: State, reading: TargetScores, length: Tensor) -> State:
        """Return whether the search of each sample has ended: out of steps, or its loss no longer falls."""
        loss = length.square() + state["c"] * reading.shortfall.clamp_min(0.0)
        looks = (state["age"] > 0) & (state["age"] % max(self.steps // 10, 1) == 0)
        stalled = looks & (loss > 0.9999 * state["before"])
        return {
            "before": torch.where(looks, loss, state["before"]),
            "ended": stalled | (state["age"] >= self.steps),
        }

    def _adam(self, state: State, slope: Tensor) -> State:
        """Return the moments and images after one projected step of Adam."""
        age = state["age"] + 1
        first = FIRST_DECAY * state["first"] + (1 - FIRST_DECAY) * slope
        second = SECOND_DECAY * state["second"] + (1 - SECOND_DECAY) * slope.square()
        mean, spread = first / per_sample(1 - FIRST_DECAY**age), second / per_sample(1 - SECOND_DECAY**age)
        image = state["image"] - per_sample(state["stride"]) * mean / (spread.sqrt() + 1e-8)
        return {
            "image": into_ball(image, state["clean"], self.epsilon_l2),
            "first": first,
            "second": second,
            "age": age,
        }

    def _next_c(self, state: State, held: Tensor) -> State:
        """Return the bounds and the value of c after a search: halve the interval, or tenfold c while it has no end.

        held: (n,) bool, whether the search ended at its target. (That it was there once says nothing about c, since a
        search may begin there.)
        """
        c = state["c"]
        low, high = torch.where(held, state["low"], c), torch.where(held, c, state["high"])
        c = torch.where(high.isinf(), 10 * c, (low + high) / 2)
        return {"low": low, "high": high, "c": c, "search": state["search"] + 1}


def _fresh_search(image: Tensor) -> State:
    """Return the tensors of a search that begins at these images and has not taken a step."""
    zeros, blank = image.new_zeros(len(image)), torch.zeros_like(image)
    return {"image": image, "first": blank, "second": blank, "age": zeros, "before": zeros + math.inf}


def _like(mask: Tensor, values: Tensor) -> Tensor:
    """Return mask (n,) shaped so that it selects among values (n, ...)."""
    return mask.view(-1, *[1] * (values.ndim - 1))
