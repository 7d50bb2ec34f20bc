"""The study of a sweep: Optuna's tables in the project's database, written by the dispatcher and nobody else."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import TrialState

from zspag_core.jobs.schema import BUSY_SECONDS
from zspag_core.tuning.objectives import find_objectives
from zspag_core.tuning.pruning import PRUNED
from zspag_core.tuning.sampler import build_sampler, distributions, planned
from zspag_core.tuning.space import key_of, tidied

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from optuna.trial import FrozenTrial

    from zspag_core.tuning.space import Value
    from zspag_core.tuning.sweep import Sweep

POINT, ROW = "point", "row"
FIRST = 1
"""Number of the first trial; Optuna counts from 0. Sweeps of earlier versions keep the numbers that they were told."""
ENDED = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)


@contextmanager
def calm() -> Iterator[None]:
    """Leave out Optuna's words that a part of it is new, and that it takes low targets for good."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.filterwarnings("ignore", message="PedAnova")
        warnings.filterwarnings("ignore", message="Target and region quantiles")  # then all are ranked alike
        yield


class Study:
    """Asks which point comes next, and is told what came of it."""

    def __init__(self, name: str, sweep: Sweep, url: str) -> None:
        """Open the study of a sweep, or make it.

        Args:
            name: of the study.
            sweep: what is asked.
            url: of the database.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        options = {"connect_args": {"timeout": BUSY_SECONDS}} if url.startswith("sqlite") else {"pool_pre_ping": True}
        self._storage = optuna.storages.RDBStorage(url, engine_kwargs=options)
        self._sweep, self._space = sweep, distributions(sweep.space)
        self._planned = planned(sweep)
        self._known: set[Hashable] = set()
        with calm():
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=name,
                load_if_exists=True,
                directions=[objective.direction for objective in find_objectives(sweep.objectives)],
            )
            trials = self._study.get_trials(deepcopy=False)
            self._known |= {self._key(self._point_of(trial)) for trial in trials if trial.state != TrialState.WAITING}
            self._study.sampler = build_sampler(sweep, self._known)
            self._study.set_metric_names(list(sweep.objectives))

    def close(self) -> None:
        """Close the database connections."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def under_way(self) -> list[tuple[int, dict[str, Value]]]:
        """Return number and point of the trials that were asked for and not told: an earlier dispatcher's."""
        open_ones = [trial for trial in self._study.trials if trial.state == TrialState.RUNNING]
        return [(trial.number + FIRST, self._point_of(trial)) for trial in open_ones]

    def rows(self) -> list[dict[str, Any]]:
        """Return what was told of every ended trial."""
        return [
            trial.user_attrs[ROW] for trial in self._study.trials if trial.state in ENDED and ROW in trial.user_attrs
        ]

    def count(self) -> int:
        """Return how many different points were asked for."""
        return len(self._known)

    def ask(self) -> tuple[int, dict[str, Value]]:
        """Return number, from 1, and point of the next trial, which is none that was asked for before."""
        waiting = self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        planned = None if self._planned is None or waiting else self._next_planned()
        if planned is not None:
            self._study.enqueue_trial(planned)
        trial = self._study.ask(self._space)
        point = self._point(trial.params)
        trial.set_user_attr(POINT, point)
        self._known.add(self._key(planned or point))  # what was planned is done, whatever Optuna made of it
        return trial.number + FIRST, point

    def tell(self, number: int, row: Mapping[str, Any]) -> None:
        """Note what came of a trial; it counts as failed where an objective has no value, unless it was pruned."""
        kept = number - FIRST
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, kept)
        self._storage.set_trial_user_attr(trial_id, ROW, dict(row))
        found: Sequence[Any] = [row["figures"].get(key) for key in self._sweep.objectives]
        if row["state"] == "done" and None not in found:
            self._study.tell(kept, list(found))
        else:
            self._study.tell(kept, state=TrialState.PRUNED if row["state"] == PRUNED else TrialState.FAIL)

    def importance(self) -> dict[str, float]:
        """Return the share that every knob has in what the first objective comes to; none for too few trials.

        A knob of which only one value has been tried so far has no part in it.

        Source: Watanabe, Bansal and Hutter, PED-ANOVA, 2023.
        """
        complete = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        names = [axis.name for axis in self._sweep.space]
        varied = [name for name in names if len({repr(trial.params.get(name)) for trial in complete}) > 1]
        values = {trial.values[0] for trial in complete}
        if len(values) < LEAST or not varied:
            return {}
        sign = (
            1 if find_objectives(self._sweep.objectives)[0].better == "lower" else -1
        )  # it ranks knobs by low targets
        with calm():
            evaluator = optuna.importance.PedAnovaImportanceEvaluator(evaluate_on_local=False)
            shares = optuna.importance.get_param_importances(
                self._study, evaluator=evaluator, params=varied, target=lambda trial: sign * trial.values[0]
            )
        return dict(shares)

    def _point_of(self, trial: FrozenTrial) -> dict[str, Value]:
        """Return the point of a trial, also of one that was asked for by a dispatcher that ended right then."""
        found: dict[str, Value] = trial.user_attrs.get(POINT) or self._point(trial.params)
        return found

    def _next_planned(self) -> dict[str, Value]:
        """Return the next of the points that are known beforehand."""
        return next(point for point in self._planned or () if self._key(point) not in self._known)

    def _key(self, point: Mapping[str, Value]) -> Hashable:
        return key_of(self._sweep.space, point)

    def _point(self, params: dict[str, Any]) -> dict[str, Value]:
        return tidied(self._sweep.space, params)


LEAST = 4
"""Different values from which on knobs are ranked."""
