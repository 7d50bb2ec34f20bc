"""Images that were altered on their way: a network reads them all the same, only worse, and without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core.errors import UsageError
from zspag_core.input_checks.alternatives import Alternative
from zspag_core.input_checks.batch_norm import FARTHER, preparation_gap
from zspag_core.input_checks.matching import clearly_better
from zspag_core.input_checks.preparation import NEARLY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.input_checks.sample import AskedSample


class AlteredImages(UsageError):
    """Labelled images are read clearly better with colours or brightness exchanged.

    Attributes:
        plain: what is wrong, without how to keep them.
    """

    def __init__(self, plain: str) -> None:
        """Keep the sentence; the message ends with what to do on the command line."""
        super().__init__(
            f"{plain}; say how the model wants its images (--image-size, --mean, --std) where nobody did, save them as "
            "they were in its training, or keep them with --order given"
        )
        self.plain = plain


SWAPPED, INVERTED = "red and blue exchanged", "light and dark exchanged"


def check_altered(asked: AskedSample, *, kept: bool) -> tuple[str, ...]:
    """Refuse labelled images that a model reads clearly better with colours or brightness exchanged.

    With images of one class it is only noted, and not where BatchNorm speaks against it: what calls everything the same
    would read best. (Pullovers with light and dark exchanged are read at 94 %, as they are at 67 %.)

    Args:
        asked: the model about images at its size.
        kept: whether a person keeps what the data say; then it is only noted, too.

    Returns:
        Notes for the person.

    Raises:
        AlteredImages: it says both figures.
    """
    better = reads_better(asked)
    if better is None:
        return ()
    order = "" if asked.one_class else " in the best order of the classes"
    figures = (
        f"as they are the model reads {asked.in_any_order:.1f} % of {len(asked)} of them{order}, with {better.words} "
        f"{better.accuracy:.1f} %"
    )
    if kept or asked.one_class:
        return (f"{figures}: were the images altered on their way?",)
    raise AlteredImages(f"the images look altered: {figures}")


def reads_better(asked: AskedSample) -> Alternative | None:
    """Return the usual alteration that undone lets a model read clearly more; None where none does.

    Of images of one class it counts only where BatchNorm does not speak against it.
    """
    if asked.in_any_order >= NEARLY:
        return None
    words, other = max(_otherwise(asked).items(), key=lambda one: one[1].in_any_order)
    if not clearly_better(other.in_any_order, asked.in_any_order, len(asked)):
        return None
    if asked.one_class and _farther(other, asked):
        return None
    return Alternative.on(other, words, {})


def _otherwise(asked: AskedSample) -> Mapping[str, AskedSample]:
    """Return images as they were if they were altered in the usual ways, what changes less first."""
    images = asked.images
    exchanged = {SWAPPED: asked.altered(images.flip(1))} if images.shape[1] > 1 else {}
    return exchanged | {INVERTED: asked.altered(255 - images)}


def _farther(other: AskedSample, asked: AskedSample) -> bool:
    """Tell whether images lie far farther from what BatchNorm remembers than others; not where it remembers nothing."""
    gap, gap_of_asked = (preparation_gap(one.model, one.images) for one in (other, asked))
    return gap is not None and gap_of_asked is not None and gap > FARTHER * gap_of_asked
