"""How a run's models are graded: every figure, the steps that bring the classes back, a planted backdoor."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zspag_core.metrics.backdoor import Triggered, planted_in, read_triggered, triggered_images
from zspag_core.metrics.deep import relearn
from zspag_core.metrics.grade import grade

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from zspag_core.data.dataset import DataSet
    from zspag_core.metrics.deep import Relearning
    from zspag_core.metrics.grade import Grade
    from zspag_core.models import Classifier
    from zspag_core.progress import Reporter
    from zspag_core.runs.prepare import Prepared

RELEARNING_IMAGES = 1000


def grade_of(model: Classifier, prepared: Prepared, report: Reporter) -> Grade:
    """Grade a model on the run's data."""
    config = prepared.config
    return grade(
        model,
        prepared.dataset,
        config.classes,
        seed=config.seed,
        device=prepared.device,
        stages=not prepared.lacks,
        report=report,
    )


def relearning_of(model: Classifier, before: Grade, prepared: Prepared, report: Reporter) -> Relearning | None:
    """Count the steps that bring the classes back, as far as the original, graded `before`, knew them; None: not asked.

    Every model of a run gets the same images.
    """
    config, dataset = prepared.config, prepared.dataset
    if not wants_relearning(config.relearning, dataset, config.classes):
        return None
    known = before.accuracy.acc_ut
    return relearn(model, dataset, config.classes, known, seed=config.seed, report=report)


def wants_relearning(asked: bool | None, dataset: DataSet, classes: Sequence[int]) -> bool:  # noqa: FBT001
    """Tell whether the steps that bring the classes back are counted: where it is asked for or takes little time."""
    return len(dataset.train.of_classes(classes)) <= RELEARNING_IMAGES if asked is None else asked


def read_triggers(
    about: Mapping[str, Any], dataset: DataSet, before: Classifier, after: Classifier | None
) -> Triggered | None:
    """Return what the models read in triggered images; None where no backdoor was planted or no test image is there.

    Args:
        about: the original's header.
        dataset: of the run.
        before: the original model.
        after: the unlearned model; None for a run that did not come to its end.
    """
    backdoor = planted_in(about, dataset.num_classes)
    images = None if backdoor is None else triggered_images(dataset, backdoor)
    if backdoor is None or images is None or not len(images):
        return None
    found = Triggered(backdoor, images, read_triggered(before, images))
    return found if after is None else replace(found, after=read_triggered(after, images))
