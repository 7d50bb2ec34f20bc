"""Which points a sweep tries: known beforehand (grid, Sobol), or asked of Optuna one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.tuning.space import grid_points

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

    from zspag_core.tuning.space import Axis, Value
    from zspag_core.tuning.sweep import Sweep

STARTUP = 8
"""Random points before TPE begins to learn, at most a third of the budget."""
POPULATION = (4, 50)


def planned(sweep: Sweep) -> list[dict[str, Value]] | None:
    """Return all points of a sweep, in order, where they are known beforehand; else None."""
    if sweep.sampler == "grid":
        return grid_points(sweep.space)[: sweep.trials]
    if sweep.sampler == "qmc":
        return sobol_points(sweep.space, sweep.trials, sweep.seeds[0])
    return None


def sobol_points(axes: tuple[Axis, ...], count: int, seed: int) -> list[dict[str, Value]]:
    """Return points that fill a space evenly; the first ones are the same for a larger count.

    Source: Sobol, 1967, scrambled after Owen; scipy.stats.qmc.
    """
    from scipy.stats import qmc

    shares = qmc.Sobol(len(axes), scramble=True, rng=seed).random_base2(max(1, (count - 1).bit_length()))
    return [{axis.name: axis.at(float(x)) for axis, x in zip(axes, row, strict=True)} for row in shares[:count]]


def build_sampler(sweep: Sweep, told: int) -> BaseSampler:
    """Return Optuna's sampler.

    Args:
        sweep: what for.
        told: points that the study has already: a sampler begun anew must not draw the same numbers again.
    """
    import optuna

    seed = sweep.seeds[0] * 100_003 + told
    if sweep.sampler == "tpe":
        startup = max(1, min(STARTUP, sweep.trials // 3))
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup, multivariate=True)
    if sweep.sampler == "nsga2":
        least, most = POPULATION
        return optuna.samplers.NSGAIISampler(seed=seed, population_size=min(most, max(least, sweep.trials // 4)))
    return optuna.samplers.RandomSampler(seed=seed)


def distributions(axes: tuple[Axis, ...]) -> dict[str, BaseDistribution]:
    """Return a space as Optuna knows it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    def of(axis: Axis) -> Any:  # noqa: ANN401 - one of three kinds
        if axis.values:
            return CategoricalDistribution(axis.values)
        if axis.whole:
            return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
        return FloatDistribution(axis.low, axis.high, log=axis.log)

    return {axis.name: of(axis) for axis in axes}


def tidied(axes: tuple[Axis, ...], point: dict[str, Any]) -> dict[str, Value]:
    """Return a point with its numbers rounded to what can be typed again."""
    return {axis.name: point[axis.name] if axis.values else axis.tidy(point[axis.name]) for axis in axes}
