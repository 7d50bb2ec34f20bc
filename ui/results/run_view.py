"""What the Results page knows of one run: its record, the names of its classes, its arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ui.results.relearning import with_relearning
from ui.shell.artifacts import load_arrays
from ui.shell.class_names import names_of
from ui.shell.ungraded import lacks_of
from zspag_core import files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ui.shell.artifacts import Arrays
    from zspag_core.jobs import Job


@dataclass(frozen=True)
class View:
    """One run that has something to show.

    Attributes:
        letter: "A" or "B".
        job: the run.
        result: what its result.json says.
        names: one name per class.
        grading: outputs on images for grading, None where the run left none.
        labels: the labels that were taught, None where the method chooses none.
    """

    letter: str
    job: Job
    result: Mapping[str, Any]
    names: tuple[str, ...]
    grading: Arrays | None
    labels: Arrays | None

    @property
    def forget(self) -> tuple[int, ...]:
        """Return the forgotten classes."""
        return tuple(self.result["forget"])

    @property
    def after(self) -> Mapping[str, Any] | None:
        """Return the figures of the unlearned model, None for a run that was stopped."""
        return self.result.get("after")

    @property
    def own_remaining(self) -> bool:
        """Tell whether the run's own data has training images of the remaining classes, which Retrain needs."""
        return "graded_with" not in self.result and "retain_train" not in lacks_of(self.result)

    @property
    def title(self) -> str:
        """Return the run's name in a sentence."""
        return self.job.title or f"Run {self.job.number}"


def view_of(letter: str, job: Job) -> View | None:
    """Return what a run has to show; None for one that left no result."""
    found = result_of(job)
    if found is None:
        return None
    result = with_relearning(job, found)
    grading, labels = load_arrays(job.folder, "grading"), load_arrays(job.folder, "labels")
    count = int(result["num_classes"])
    return View(letter, job, result, names_of(job.config, count, job.folder)[:count], grading, labels)


def result_of(job: Job) -> Mapping[str, Any] | None:
    """Return a run's record; a cancelled run has left its own in the run folder."""
    if job.kind != "unlearn" or job.active:
        return None
    if isinstance(job.answer, dict):
        return job.answer
    path = job.folder / "result.json"
    found: dict[str, Any] | None = files.read_json(path) if path.exists() else None
    return found


def listed(names: tuple[str, ...], classes: tuple[int, ...]) -> str:
    """Return the names of some classes, as a list in a sentence."""
    return ", ".join(names[label] for label in classes)
