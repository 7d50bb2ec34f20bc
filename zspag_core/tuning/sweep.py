"""What a sweep is: a run, what of it is varied, how points are chosen, how many, and what they are judged by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zspag_core.errors import UsageError
from zspag_core.hyperparameters import schema
from zspag_core.methods.catalogue import find_entry
from zspag_core.tuning.objectives import RETAIN_FREE, find_objectives
from zspag_core.tuning.space import Axis, check_space, count_points, size_of

if TYPE_CHECKING:
    from collections.abc import Mapping

SAMPLERS = {
    "grid": "every combination",
    "qmc": "Sobol points, spread evenly",
    "random": "points drawn at random",
    "tpe": "points near the good ones so far (TPE)",
    "nsga2": "generations of points, for several objectives (NSGA-II)",
}
MOST_TRIALS = 100_000
BUDGET = ("trials", "minutes")
"""What may change while a sweep stays the same."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep.

    Attributes:
        run: the run whose settings are varied, as :meth:`zspag_core.runs.config.RunConfig.to_dict` gives it.
        space: what is varied.
        sampler: a key of :data:`SAMPLERS`.
        trials: how many points at most.
        minutes: after how many no further point is begun; 0 for no limit.
        objectives: keys of :data:`zspag_core.tuning.objectives.OBJECTIVES`; of several, none is above another.
        seeds: of the runs of every point; its figures are means over them.
        prune: whether a trial is stopped that is clearly lost, see :mod:`zspag_core.tuning.pruning`.
    """

    run: Mapping[str, Any]
    space: tuple[Axis, ...]
    sampler: str = "grid"
    trials: int = 20
    minutes: float = 0.0
    objectives: tuple[str, ...] = (RETAIN_FREE.key,)
    seeds: tuple[int, ...] = (0,)
    prune: bool = False

    def check(self) -> Sweep:
        """Return the sweep as it will be: there are no more trials than points.

        Raises:
            UsageError: something in it is impossible.
        """
        knobs = schema(find_entry(str(self.run["method"])).load())
        check_space(self.space, knobs, self.run["settings"])
        if self.sampler not in SAMPLERS:
            raise UsageError(f"--sampler: expected one of {', '.join(SAMPLERS)}, got {self.sampler!r}")
        if not 1 <= self.trials <= MOST_TRIALS:
            raise UsageError(f"--trials: expected 1 to {MOST_TRIALS}, got {self.trials}")
        if not 0 <= self.minutes < float("inf"):
            raise UsageError(f"--minutes: expected a number from 0, got {self.minutes}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise UsageError("--seeds: expected whole numbers, each once")
        if len(find_objectives(self.objectives)) > 1 and self.sampler == "tpe":
            raise UsageError("--sampler: expected nsga2, grid, qmc or random for several objectives, got tpe")
        return self.at_most()

    def at_most(self) -> Sweep:
        """Return the sweep with no more trials than there are points."""
        most = self.points()
        return self if most is None else replace(self, trials=min(self.trials, most))

    def points(self) -> int | None:
        """Return how many different points can be tried; None where there is no end of them."""
        return size_of(self.space) if self.sampler == "grid" else count_points(self.space)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        lists = {"objectives": list(self.objectives), "seeds": list(self.seeds)}
        return {**vars(self), "run": dict(self.run), "space": [axis.to_dict() for axis in self.space], **lists}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Sweep:
        """Rebuild a sweep from plain values; what pages add is left out."""
        known = {name: record[name] for name in cls.__dataclass_fields__ if name in record}
        space = tuple(Axis.from_dict(axis) for axis in record["space"])
        return cls(**{**known, "space": space, **{name: tuple(record[name]) for name in ("objectives", "seeds")}})

    def identity(self) -> dict[str, Any]:
        """Return all but the budget: what says whether a sweep goes on or is another one."""
        return {name: value for name, value in self.to_dict().items() if name not in BUDGET}

    def config_at(self, point: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """Return the run at a point, as plain values."""
        return {**self.run, "settings": {**self.run["settings"], **point}, "seed": seed}

    def runs(self) -> int:
        """Return how many runs there will be."""
        return self.trials * len(self.seeds)
