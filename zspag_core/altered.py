"""Images that were altered on their way: a network reads them all the same, only worse, and without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core.data.images import in_memory
from zspag_core.doubts import FARTHER, NEARLY, best_matching, clearly_better, sample_of
from zspag_core.errors import UsageError
from zspag_core.metrics.predictions import logits_of
from zspag_core.remembered import preparation_gap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from zspag_core.data import DataSet
    from zspag_core.models import Classifier

SWAPPED, INVERTED = "red and blue exchanged", "light and dark exchanged"


def check_altered(model: Classifier, dataset: DataSet, *, kept: bool) -> tuple[str, ...]:
    """Refuse labelled images that a model reads clearly better with colours or brightness exchanged.

    With images of one class it is only noted, and not where BatchNorm speaks against it: what calls everything the same
    would read best. (Pullovers with light and dark exchanged are read at 94 %, as they are at 67 %.)

    Args:
        model: reads the images.
        dataset: at the model's image size.
        kept: whether a person keeps what the data say; then it is only noted, too.

    Returns:
        Notes for the person.

    Raises:
        UsageError: it says both figures.
    """
    sample = sample_of(dataset, model.config.image_size)
    taken = _read(model, images := in_memory(sample.images), sample.labels)
    if taken >= NEARLY:
        return ()
    others = _otherwise(images)
    read = {words: _read(model, other, sample.labels) for words, other in others.items()}
    words = max(read, key=read.__getitem__)
    if not clearly_better(read[words], taken, len(sample)):
        return ()
    one_class = len(sample.labels.unique()) == 1
    if one_class and _farther(model, others[words], images):
        return ()
    figures = f"as they are the model reads {taken:.1f} % of {len(sample)} of them, with {words} {read[words]:.1f} %"
    if kept or one_class:
        return (f"were the images altered on their way? {figures}",)
    raise UsageError(
        f"the images look altered: {figures}; save them as they were in the model's training, or keep them with "
        "--order given"
    )


def _otherwise(images: Tensor) -> Mapping[str, Tensor]:
    """Return images (N, C, H, W) uint8 as they were if they were altered in the usual ways, what changes less first."""
    exchanged = {SWAPPED: images.flip(1)} if images.shape[1] > 1 else {}
    return exchanged | {INVERTED: 255 - images}


def _farther(model: Classifier, other: Tensor, images: Tensor) -> bool:
    """Tell whether images lie far farther from what BatchNorm remembers than others; not where it remembers nothing."""
    gap, gap_of_others = preparation_gap(model, other), preparation_gap(model, images)
    return gap is not None and gap_of_others is not None and gap > FARTHER * gap_of_others


def _read(model: Classifier, images: Tensor, labels: Tensor) -> float:
    """Return the percent of images read as labelled, under the best order of several classes: that is asked later."""
    predicted = logits_of(model, images).argmax(1)
    plain = 100 * float((predicted == labels).double().mean())
    return plain if len(labels.unique()) == 1 else max(plain, best_matching(predicted, labels)[0])
