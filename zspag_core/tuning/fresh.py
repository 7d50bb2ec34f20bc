"""A sampler that gives no point twice: what another one draws, drawn again where it has been tried already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.samplers import BaseSampler

from zspag_core.tuning.space import count_points, every_point, key_of, tidied

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence

    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, TrialState

    from zspag_core.tuning.space import Axis, Value

DRAWS = 20
"""How often a sampler may draw before one of the points that are left is taken by chance."""
MOST_LISTED = 200_000
"""Points of a space up to which those that are left are listed; of more, chance finds one at once."""


class Fresh(BaseSampler):
    """Draws as another sampler does, until the point is new."""

    def __init__(
        self,
        inner: BaseSampler,
        axes: Sequence[Axis],
        space: Mapping[str, BaseDistribution],
        tried: Collection[Hashable],
        seed: int,
    ) -> None:
        """Stand before another sampler.

        Args:
            inner: draws.
            axes: the knobs.
            space: the same as Optuna knows them.
            tried: keys of points (:func:`zspag_core.tuning.space.key_of`); it may grow.
            seed: for a point by chance.
        """
        self._inner, self._axes, self._tried = inner, axes, tried
        self._space = {name: about for name, about in space.items() if not about.single()}
        self._fixed = {axis.name: axis.at(0.0) for axis in axes if axis.name not in self._space}
        self._rng = np.random.default_rng(seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return all knobs: a point is new or not as a whole."""
        return dict(self._space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return a point that has not been tried."""
        for _ in range(DRAWS):
            drawn = self._draw(study, trial)
            if self._is_new(drawn):
                return drawn
        found = next(self._left())
        return {name: found[name] for name in self._space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401 - a value of any knob type
        """Return one knob's value, as the other sampler does."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Pass on that a trial begins."""
        self._inner.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Pass on that a trial has ended."""
        self._inner.after_trial(study, trial, state, values)

    def _draw(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        """Return a point of the other sampler; it draws some knobs together, the rest one by one."""
        together = self._inner.infer_relative_search_space(study, trial)
        drawn = self._inner.sample_relative(study, trial, together)
        rest = {name: about for name, about in self._space.items() if name not in drawn}
        return drawn | {name: self.sample_independent(study, trial, name, about) for name, about in rest.items()}

    def _is_new(self, drawn: dict[str, Any]) -> bool:
        return key_of(self._axes, tidied(self._axes, self._fixed | drawn)) not in self._tried

    def _left(self) -> Iterator[dict[str, Value]]:
        """Yield points that are left, by chance."""
        size = count_points(self._axes)
        if size is not None and size <= MOST_LISTED:
            left = [point for point in every_point(self._axes) if key_of(self._axes, point) not in self._tried]
            yield from (left[k] for k in self._rng.permutation(len(left)))
            return
        while True:
            point = {axis.name: axis.at(float(self._rng.random())) for axis in self._axes}
            if self._is_new(point):
                yield point
