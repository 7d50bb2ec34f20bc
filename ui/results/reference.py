"""The Retrain reference of a run: models that never saw the forgotten classes, made here or shipped with the app."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ui.results.relearning import with_relearning
from ui.shell.checkpoints import recipe_of
from ui.shell.formatting import find, headline
from ui.shell.jobs import job_store
from ui.shell.shipped_records import DEMO_RETRAINED, RETRAINED, YARDSTICK, shipped_runs
from zspag_core.jobs import Lane
from zspag_core.runs.config import RunConfig
from zspag_core.shipped import DEMO_CLASS, DEMO_DATA, DEMO_MODEL, LESSON_MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.jobs import Job

LOOKED_AT = 300
SHIPPED = {LESSON_MODEL: YARDSTICK, DEMO_MODEL: DEMO_RETRAINED}
"""Models whose retrained ones ship, without the class of the demo."""


@dataclass(frozen=True)
class Reference:
    """Models retrained without the classes; several seeds make a band.

    Attributes:
        jobs: finished retraining runs of the same model, data and classes, newest first.
        coming: one that waits or runs, None if there is none.
        shipped: where no such run was made, what result.json says of models that ship with the app.
    """

    jobs: tuple[Job, ...] = ()
    coming: Job | None = None
    shipped: tuple[Mapping[str, Any], ...] = ()

    @property
    def known(self) -> bool:
        """Tell whether there is a band."""
        return bool(self.jobs or self.shipped)

    def band(self, path: Sequence[str]) -> tuple[float, float] | None:
        """Return the least and the largest value of a figure over the models; None where it is unknown."""
        made = [with_relearning(job, job.answer)["after"] for job in self.jobs]
        values = [find(figures, path) for figures in made or [record["after"] for record in self.shipped]]
        known = [value for value in values if value is not None]
        return (min(known), max(known)) if known else None

    @property
    def depths(self) -> list[Mapping[str, Any]]:
        """What the retrained models' records say of their depth, without those that say nothing."""
        records = [job.answer or {} for job in self.jobs] or self.shipped
        return [record["depth"] for record in records if record.get("depth")]

    @property
    def source(self) -> str:
        """Say where the band comes from."""
        if not self.jobs:
            return f"{len(self.shipped)} models that ship with the app, seeds 0 to {len(self.shipped) - 1}"
        numbers = ", ".join(str(job.number) for job in self.jobs)
        return f"run{'s' if len(self.jobs) > 1 else ''} {numbers}"


def find_reference(job: Job) -> Reference:
    """Return what was retrained with a run's model, data and classes left out; a visitor's own runs go first."""
    runs = [other for other in job_store().latest(Lane.RUNS, LOOKED_AT, kind="unlearn") if _is_reference(other, job)]
    done = tuple(other for other in runs if headline(other) is not None)
    return Reference(done, next((other for other in runs if other.active), None), () if done else _shipped(job))


def _shipped(job: Job) -> tuple[Mapping[str, Any], ...]:
    """Return the retrained models that ship for a run's model and class, nothing for any other run."""
    file = SHIPPED.get(Path(job.config["checkpoint"]))
    if file is None or (job.config.get("data"), list(job.config["forget"])) != (DEMO_DATA, [DEMO_CLASS]):
        return ()
    records = shipped_runs(file).records
    return tuple(records[name] for name in RETRAINED if name in records)


def _is_reference(other: Job, job: Job) -> bool:
    """Tell whether a job retrains what another one unlearns."""
    if other.kind != "unlearn" or other.config.get("method") != "retrain":
        return False
    same = all(other.config.get(name) == job.config.get(name) for name in ("data", "checkpoint"))
    return same and sorted(other.config["forget"]) == sorted(job.config["forget"])


def order_reference(config: Mapping[str, Any]) -> None:
    """Queue the retraining that belongs to a run, with the recipe that its model was trained by, where that is known.

    Args:
        config: of the run.
    """
    checkpoint, device = str(config["checkpoint"]), str(config.get("device", "auto"))
    seed, settings = config.get("seed", 0), recipe_of(checkpoint)
    asked = RunConfig(config["data"], checkpoint, tuple(config["forget"]), "retrain", settings, seed, device)
    job_store().submit("unlearn", asked.to_job(class_names=config.get("class_names")), device=device)
