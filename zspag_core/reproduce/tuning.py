"""Finding one setting of a method by a fixed number of trials, the same number for every method.

The knob is halved on a logarithmic scale: where a trial forgets enough on held-out training images, the next one is
gentler, else it is stronger. Test images have no part in it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from zspag_core.metrics.catalogue import is_forgotten

if TYPE_CHECKING:
    from collections.abc import Callable

    from zspag_core.methods.catalogue import TuningRange


@dataclass(frozen=True)
class Trial:
    """What one value came to on held-out training images, in percent; None where the method failed.

    Attributes:
        value: of the knob.
        acc_rt: accuracy on images of the remaining classes.
        acc_ut: accuracy on images of the forgotten classes.
    """

    value: float
    acc_rt: float | None
    acc_ut: float | None

    @property
    def strong_enough(self) -> bool:
        """Tell whether it forgot enough; a method that failed was too strong."""
        return self.acc_ut is None or is_forgotten(self.acc_ut)

    @property
    def score(self) -> tuple[int, float]:
        """Return what is larger for a better trial: remaining accuracy once enough is forgotten, else forgetting."""
        if self.acc_rt is None or self.acc_ut is None:
            return -1, 0.0
        return (1, self.acc_rt) if self.strong_enough else (0, -self.acc_ut)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def tune(knob: TuningRange, trials: int, judge: Callable[[float], Trial]) -> tuple[Trial, list[Trial]]:
    """Return the best of some trials, and all of them.

    Args:
        knob: what is turned, and between which values.
        trials: how many.
        judge: tries a value.
    """
    low, high, made = 0.0, 1.0, []
    for _ in range(trials):
        middle = (low + high) / 2
        made.append(judge(knob.at(middle)))
        low, high = (low, middle) if made[-1].strong_enough else (middle, high)
    return max(made, key=lambda trial: trial.score), made
