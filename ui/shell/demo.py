"""The demo and the lessons: models of digits that come with the app, and the class that the demo forgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui.shell.checkpoints import shipped_checkpoints
from ui.shell.jobs import job_store, made_of, show_run
from ui.shell.selection import choice_of_own, use
from zspag_core.runs.config import RunConfig
from zspag_core.shipped import DEMO_CLASS, DEMO_MODEL, LESSON_MODEL

if TYPE_CHECKING:
    from pathlib import Path

    from ui.shell.selection import Choice
    from zspag_core.jobs import Job


def demo_choice() -> Choice | None:
    """Return the demo's model, None where it is not there."""
    return _shipped(DEMO_MODEL)


def lesson_choice() -> Choice | None:
    """Return the lessons' model, None where it is not there."""
    return _shipped(LESSON_MODEL)


def _shipped(model: Path) -> Choice | None:
    """Return the choice of a model that comes with the app, if it is there and knows the class of the demo."""
    found = next((path for path in shipped_checkpoints() if path.name == model.name), None)
    choice = choice_of_own(found) if found is not None else None
    return choice if choice is not None and str(DEMO_CLASS) in choice.class_names else None


def submit_own(
    choice: Choice, forget: list[int], method: str = "zspag", settings: dict[str, object] | None = None, seed: int = 0
) -> Job:
    """Queue a run as the Forget page would with untouched controls but for those given; look at it and its model."""
    asked = RunConfig(choice.data, str(choice.checkpoint), tuple(forget), method, settings or {}, seed)
    config = asked.to_job(
        class_names=[choice.class_names[label] for label in forget], made=made_of(choice.checkpoint, choice.data)
    )
    job = job_store().submit("unlearn", config, device=asked.device)
    use(choice)
    show_run(job.id)
    return job


def start_demo(choice: Choice) -> Job:
    """Queue the run that forgets the threes."""
    return submit_own(choice, [choice.class_names.index(str(DEMO_CLASS))])
