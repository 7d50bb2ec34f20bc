"""The grade of the original model: taken over from an earlier run, made before the method begins, or after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core.diagnosis import guessing, hardly_read
from zspag_core.methods.base import timed
from zspag_core.metrics.deep import RELEARNING_STEPS
from zspag_core.metrics.grade import count_graded
from zspag_core.progress import AsStage
from zspag_core.runs.grading import grade_of, relearning_of, wants_relearning
from zspag_core.runs.notes import say_doubts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.metrics.deep import Relearning
    from zspag_core.metrics.grade import Grade
    from zspag_core.models import Classifier
    from zspag_core.progress import Reporter
    from zspag_core.runs.prepare import Prepared
    from zspag_core.runs.stage_cache import StageCache

GRADE, RELEARNT = "original", "original_relearnt"
"""Under which names the cache keeps the grade and the steps of relearning."""
STAGE = "before"
WAIT_SECONDS = 60.0
"""So much grading is put off until the method is done, so that its first epoch is seen soon. Where it takes longer it
comes first: a run that is cancelled is graded before it ends, and whoever waits behind it waits for that."""
PASSES_A_STEP = 3 * 64
"""Images forward that one step of relearning takes as long as: it goes forward and backward with 64."""


class Baseline:
    """The original's grade, and its steps of relearning, each made once and when it is asked for."""

    def __init__(
        self, model: Classifier, prepared: Prepared, cache: StageCache, report: Reporter, seconds: dict[str, float]
    ) -> None:
        """Look whether an earlier run or attempt has graded the model.

        Args:
            model: the original, on its device.
            prepared: the run.
            cache: keeps what is made.
            report: receives progress after every batch, as stage "before", and at every step of relearning.
            seconds: "evaluate" grows by what grading takes.
        """
        self.model, self.prepared, self.cache, self.seconds = model, prepared, cache, seconds
        self.report = report
        self.known: Grade | None = cache.recall(GRADE)
        self.steps: Relearning | None = cache.recall(RELEARNT)

    def may_wait(self, looked: Mapping[str, float | None], images: int, seconds: float) -> bool:
        """Tell whether the grade may be made after the method.

        Not where it takes long, nor where a person should hear before the method begins that the model hardly reads
        the data.

        Args:
            looked: what a quick look at the original has found, as :class:`zspag_core.metrics.live.LiveGrades` does.
            images: how many the look was at.
            seconds: how long it took.
        """
        config, dataset = self.prepared.config, self.prepared.dataset
        count = count_graded(dataset, config.classes, config.seed)
        if config.relearning:  # also on large data; where nobody has asked it is counted where it is quick
            count += RELEARNING_STEPS * PASSES_A_STEP
        doubtful = guessing(looked.get("acc_rt"), dataset.num_classes) or any(
            hardly_read(looked.get(name)) for name in ("acc_ut", "forget_images")
        )
        return not doubtful and seconds * count <= WAIT_SECONDS * max(1, images)

    @property
    def complete(self) -> bool:
        """Tell whether nothing is left to be computed."""
        config, dataset = self.prepared.config, self.prepared.dataset
        uncounted = wants_relearning(config.relearning, dataset, config.classes) and self.steps is None
        return self.known is not None and not uncounted

    def grade(self) -> Grade:
        """Return the grade, and say what makes figures doubtful when it is new."""
        if self.known is None:
            with timed(self.seconds, "evaluate"):
                own_stage = AsStage(self.report, STAGE)
                self.known = self.cache.once(GRADE, lambda: grade_of(self.model, self.prepared, own_stage))
            say_doubts(self.known, self.prepared, self.report)
        return self.known

    def relearnt(self) -> Relearning | None:
        """Return the steps of relearning; None where they are not counted."""
        known = self.grade()
        if self.steps is None:
            with timed(self.seconds, "evaluate"):
                self.steps = self.cache.once(
                    RELEARNT, lambda: relearning_of(self.model, known, self.prepared, self.report)
                )
        return self.steps
