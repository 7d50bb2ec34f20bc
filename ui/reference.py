"""The Retrain reference of a run: models that never saw the forgotten classes, as far as the store has some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ui.checkpoints import ROOT, read_header
from ui.jobs import job_store
from ui.relearning import with_relearning
from ui.results import find, headline
from zspag_core.errors import CheckpointError
from zspag_core.jobs import Lane

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zspag_core.jobs import Job

LOOKED_AT = 300
RECIPE = ("epochs", "batch_size", "optimizer", "learning_rate", "weight_decay", "crop", "flip")


@dataclass(frozen=True)
class Reference:
    """Finished retraining runs of the same model, data and classes.

    Attributes:
        jobs: the runs, newest first; several seeds make a band.
        coming: one that waits or runs, None if there is none.
    """

    jobs: tuple[Job, ...] = ()
    coming: Job | None = None

    def band(self, path: Sequence[str]) -> tuple[float, float] | None:
        """Return the least and the largest value of a figure over the runs; None where it is unknown."""
        values = [find(with_relearning(job, job.answer)["after"], path) for job in self.jobs]
        known = [value for value in values if value is not None]
        return (min(known), max(known)) if known else None

    @property
    def source(self) -> str:
        """Say where the band comes from."""
        numbers = ", ".join(str(job.number) for job in self.jobs)
        return f"run{'s' if len(self.jobs) > 1 else ''} {numbers}"


def find_reference(job: Job) -> Reference:
    """Return the retraining runs of a run's model, data and classes."""
    runs = [other for other in job_store().latest(Lane.RUNS, LOOKED_AT, kind="unlearn") if _is_reference(other, job)]
    done = tuple(other for other in runs if headline(other) is not None)
    return Reference(done, next((other for other in runs if other.active), None))


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
    kept = {name: config[name] for name in ("data", "checkpoint", "forget", "class_names", "device") if name in config}
    settings = recipe_of(str(config["checkpoint"]))
    wanted = kept | {"method": "retrain", "settings": settings, "seed": config.get("seed", 0)}
    job_store().submit("unlearn", wanted, device=str(config.get("device", "auto")))


def recipe_of(checkpoint: str) -> dict[str, Any]:
    """Return the training settings that a checkpoint of this program names; none for a foreign one."""
    try:
        recipe = read_header(ROOT / checkpoint).recipe
    except CheckpointError:
        return {}
    return {name: recipe[name] for name in RECIPE if name in recipe}
