"""Images of one class say nothing of how they are prepared by their answers: BatchNorm's memory is asked instead."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from zspag_core.doubts.tried import (
    Tried,
    WrongReading,
    is_stated,
    other_normalisations,
    prepared_words,
    with_reading,
)
from zspag_core.remembered import ASKED, preparation_gap

if TYPE_CHECKING:
    from zspag_core.checkpoints import Checkpoint
    from zspag_core.doubts.asked import Asked

STRANGE, FARTHER = 0.4, 2.5
"""A normalisation is doubted that lies farther than this from what BatchNorm remembers, and so many times as far as
another one. Of eight trained networks, class by class, the right one lay at 0.31 at most and at 1.7 times the best of
the others (table in docs/your_model.md)."""


def check_batch_norm(checkpoint: Checkpoint, asked: Asked) -> tuple[str, ...]:
    """Compare normalisations by what BatchNorm remembers of the images in training.

    Returns:
        A note where a person stated what looks wrong.

    Raises:
        WrongReading: another usual normalisation is far closer.
    """
    model, images = checkpoint.model, asked.images[:ASKED]
    taken = preparation_gap(model, images)
    if taken is None or taken <= STRANGE:
        return ()
    others = dict(other_normalisations(model))
    gaps = {name: preparation_gap(with_reading(model, **fields), images) or 0.0 for name, fields in others.items()}
    name = min(gaps, key=gaps.__getitem__)
    if taken <= FARTHER * gaps[name]:
        return ()
    better = Tried(name, others[name], math.nan, len(images))
    figures = (
        f"({prepared_words(checkpoint, better.fields)}) the images enter its first layers {taken:.2f} away from what "
        f"BatchNorm remembers of those in training, with {name} {gaps[name]:.2f}"
    )
    if is_stated(checkpoint, better):
        return (f"prepared as stated {figures}: are mean and std those of the training?",)
    raise WrongReading(f"how its images are prepared looks wrong: as taken {figures}", better)
