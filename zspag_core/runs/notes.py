"""What a person should know before a run goes on: what was assumed, and what makes its figures doubtful."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core.groups import lacking_words
from zspag_core.metrics.accuracy import percent
from zspag_core.shortfall import guessing, hardly_read

if TYPE_CHECKING:
    from zspag_core.metrics.grade import Grade
    from zspag_core.progress import Reporter
    from zspag_core.runs.prepare import Prepared


def say_assumptions(prepared: Prepared, report: Reporter) -> None:
    """Say how model and data were taken, and what cannot be graded; before anything is computed."""
    for sentence in (*prepared.checkpoint.notes, *prepared.dataset.notes, lacking_words(prepared.lacks)):
        if sentence:
            report.note(sentence)


def say_doubts(before: Grade, prepared: Prepared, report: Reporter) -> None:
    """Say what makes figures doubtful: a model that guesses, or is blind for the classes to forget."""
    found = before.accuracy
    guesses = guessing(found.acc_rt, prepared.dataset.num_classes)
    blind = (
        f"the model reads only {found.acc_ut:.1f} % of the forgotten classes' test images: no loss can be seen there"
        if hardly_read(found.acc_ut)
        else None
    )
    if doubt := guesses or blind or _misread(before, prepared):
        report.note(doubt)


def _misread(before: Grade, prepared: Prepared) -> str | None:
    """Say so where, for want of test images, the forget images must tell that the model does not read them right."""
    if "forget_test" not in prepared.lacks:
        return None
    seen = before.scores.forget_train
    right = percent(seen.logits.argmax(1) == seen.labels)
    if not hardly_read(right):
        return None
    most = prepared.dataset.class_names[int(seen.logits.argmax(1).mode().values)]
    return (
        f"the model reads only {right:.1f} % of the images to forget as their class, most often as {most!r}: do the "
        "names belong to its outputs in this order, or has it forgotten them already?"
    )
