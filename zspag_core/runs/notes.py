"""What a person should know before a run goes on: what was assumed, and what makes its figures doubtful."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core.diagnosis import guessing, hardly_read
from zspag_core.groups import lacking_words
from zspag_core.metrics.accuracy import percent

if TYPE_CHECKING:
    from zspag_core.data.images import Pictures
    from zspag_core.metrics.grade import Grade
    from zspag_core.progress import Reporter
    from zspag_core.runs.prepare import Prepared


FEW_IMAGES = 10
"""Images to forget below which the outcome is unsure. Of the digits' test images of class 3 the shipped model still
reads 38 % after one of them, 11 % after three and 3 % after ten; with one image a network of eight classes lost two
points of the rest, where masking gained two."""


def say_assumptions(prepared: Prepared, report: Reporter) -> None:
    """Say how model and data were taken, and what cannot be graded; before anything is computed."""
    unsaid = prepared.method.unsaid(prepared.checkpoint.about)
    known = (*prepared.checkpoint.notes, *prepared.dataset.notes, lacking_words(prepared.lacks), unsaid)
    for sentence in (*known, _few(len(prepared.seen), _different(prepared.seen.images))):
        if sentence:
            report.note(sentence)


def _different(images: Pictures) -> int:
    """Return how many different images there are; it is counted no farther than needed."""
    found: set[bytes] = set()
    for part in images.split(FEW_IMAGES):  # the first ones differ nearly always: no more are decoded
        found.update(image.numpy().tobytes() for image in part)
        if len(found) >= FEW_IMAGES:
            break
    return len(found)


def _few(images: int, different: int) -> str:
    """Say what so few images to forget mean; empty where they are enough."""
    if different >= FEW_IMAGES:
        return ""
    there = "there is one image" if images == 1 else f"there are {images} images"
    copies = f", only {different} of them different," if different < images else ""
    return (
        f"{there}{copies} to forget: after fewer than {FEW_IMAGES} other images of the class are often still "
        "recognised, and the remaining classes may lose more than with masking alone"
    )


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
