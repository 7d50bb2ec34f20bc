"""Which points a sweep tries: known beforehand (grid, Sobol), or asked of Optuna one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.tuning.space import count_points, every_point, grid_points, key_of

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable

    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

    from zspag_core.tuning.space import Axis, Value
    from zspag_core.tuning.sweep import Sweep

STARTUP = 8
"""Random points before TPE begins to learn, at most a third of the budget."""
POPULATION = (4, 50)
SOBOL_TIMES, MOST_DRAWN = 16, 2**20
"""How often the size of a finite space is drawn before the points that Sobol's sequence has missed follow."""


PLANNED = ("grid", "qmc")
"""Samplers whose points are known beforehand."""


def planned(sweep: Sweep) -> list[dict[str, Value]] | None:
    """Return all points of a sweep, in order, where they are known beforehand; else None."""
    if sweep.sampler == "grid":
        return grid_points(sweep.space)[: sweep.trials]
    if sweep.sampler == "qmc":
        return sobol_points(sweep.space, sweep.trials, sweep.seeds[0])
    return None


def sobol_points(axes: tuple[Axis, ...], count: int, seed: int) -> list[dict[str, Value]]:
    """Return points that fill a space evenly, each once; the first ones are the same for a larger count.

    Of a finite space there are no more than it has. Those that the sequence is slow to come to follow in order.

    Source: Sobol, 1967, scrambled after Owen; scipy.stats.qmc.
    """
    size = count_points(axes)
    wanted, most = (count, MOST_DRAWN) if size is None else (min(count, size), min(SOBOL_TIMES * size, MOST_DRAWN))
    drawn, found = count, _sobol(axes, count, seed)
    while len(found) < wanted and drawn < most:
        drawn *= 2
        found = _sobol(axes, drawn, seed)
    if len(found) < wanted:
        found = _distinct(axes, [*found, *every_point(axes)])
    return found[:count]


def _sobol(axes: tuple[Axis, ...], count: int, seed: int) -> list[dict[str, Value]]:
    """Return the different ones of the first points of a scrambled Sobol sequence."""
    from scipy.stats import qmc

    shares = qmc.Sobol(len(axes), scramble=True, rng=seed).random_base2(max(1, (count - 1).bit_length()))
    points = ({axis.name: axis.at(float(x)) for axis, x in zip(axes, row, strict=True)} for row in shares)
    return _distinct(axes, points)


def _distinct(axes: tuple[Axis, ...], points: Iterable[dict[str, Value]]) -> list[dict[str, Value]]:
    """Return every point once, where it first comes."""
    found: dict[Hashable, dict[str, Value]] = {}
    for point in points:
        found.setdefault(key_of(axes, point), point)
    return list(found.values())


def build_sampler(sweep: Sweep, tried: Collection[Hashable]) -> BaseSampler:
    """Return Optuna's sampler, for points that are asked for one by one such that none comes twice.

    Args:
        sweep: what for.
        tried: keys of the points that the study has already, and will have: a sampler begun anew must not draw the
            same numbers again.
    """
    from zspag_core.tuning.fresh import Fresh

    seed = sweep.seeds[0] * 100_003 + len(tried)
    inner = _of_optuna(sweep, seed)
    return inner if sweep.sampler in PLANNED else Fresh(inner, sweep.space, distributions(sweep.space), tried, seed)


def _of_optuna(sweep: Sweep, seed: int) -> BaseSampler:
    """Return a sampler as Optuna has it."""
    import optuna

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
