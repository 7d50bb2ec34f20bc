"""The way of every attacked point: an attack as it is, which also notes where it has been."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch

from zspag_core.attacks.base import Attack
from zspag_core.methods.zspag import ZSPAG
from zspag_core.progress import SILENT

if TYPE_CHECKING:
    from torch import Tensor, nn

    from zspag_core.attacks.base import Attacked, State, TargetScores
    from zspag_core.progress import Reporter


@dataclass(frozen=True)
class Trail:
    """The ways of the points that were attacked together.

    Attributes:
        places: (n, steps + 1, 2) float in [0, 1], from the point itself to what the attack returns.
        aimed: (n,) int64, the class that each was aimed at.
        reached: (n,) int64, the class that the network reads at the end.
    """

    places: Tensor
    aimed: Tensor
    reached: Tensor


@dataclass
class Trails:
    """What the attacks of one run have noted, in order."""

    ended: list[Trail] = field(default_factory=list)
    _clean: list[Tensor] = field(default_factory=list)
    _steps: list[tuple[int, Tensor, Tensor]] = field(default_factory=list)
    _number: int = 0

    def begin(self, clean: Tensor) -> Tensor:
        """Take a batch of points (n, 1, 1, 2); return their numbers (n,)."""
        first = sum(map(len, self._clean))
        self._clean.append(clean)
        self._number = 0
        return torch.arange(first, first + len(clean), device=clean.device)

    def note(self, rows: Tensor, images: Tensor) -> None:
        """Note where points with the numbers `rows` have gone in one step."""
        self._number += 1
        self._steps.append((self._number, rows, images))

    def end(self, aimed: Tensor, outcome: Attacked) -> None:
        """Put the ways together; who left early stays where it was."""
        start = torch.cat(self._clean).flatten(1)
        places = start[:, None].repeat(1, 1 + max((number for number, _, _ in self._steps), default=0), 1)
        for number, rows, images in self._steps:
            places[rows, number:] = images.flatten(1)[:, None]
        places[:, -1] = outcome.images.flatten(1)
        self.ended.append(Trail(places, aimed, outcome.reached))
        self._clean, self._steps = [], []


class _Noting(Attack):
    """What a noting attack adds to its kind; mathematics and randomness are left as they are."""

    trails: ClassVar[Trails]

    def perturb(
        self,
        model: nn.Module,
        images: Tensor,
        targets: Tensor,
        *,
        generator: torch.Generator,
        report: Reporter = SILENT,
    ) -> Attacked:
        """Attack and note the ways."""
        outcome = super().perturb(model, images, targets, generator=generator, report=report)
        self.trails.end(targets, outcome)
        return outcome

    def begin(self, clean: Tensor, generator: torch.Generator) -> State:
        """Begin and number the points."""
        return super().begin(clean, generator) | {"row": self.trails.begin(clean)}

    def step(self, state: State, reading: TargetScores, gradient: Tensor) -> State:
        """Step and note where to."""
        changed = super().step(state, reading, gradient)  # type: ignore[safe-super]  # that of the attack's own kind
        self.trails.note(state["row"], changed["image"])
        return changed


def noting(attack: Attack, trails: Trails) -> Attack:
    """Return the same attack, which notes the way of every point in `trails`."""
    kind = type(f"Noting{type(attack).__name__}", (_Noting, type(attack)), {"trails": trails})
    noted: Attack = kind(**vars(attack))
    return noted


@dataclass(frozen=True, kw_only=True)
class NotingZSPAG(ZSPAG):
    """ZS-PAG, whose attack notes its ways."""

    trails: Trails = field(default_factory=Trails, compare=False, repr=False)

    def build_attack(self) -> Attack:
        """Return the attack with this method's settings, noting."""
        return noting(super().build_attack(), self.trails)
