"""How much is computed: a small scale for two CPU cores, a brief and a full one for a GPU."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Sizes of everything that costs time; 0 means all there is.

    Attributes:
        name: "small", "brief" or "full".
        forget_images: training images of the forgotten classes that methods are given.
        retain_images: training images of the remaining classes that methods with need of them are given.
        test_images: test images on which models are graded.
        trials: tuning trials of every method that is tuned.
        retrain_images: remaining training images for Retrain.
        retrain_epochs: epochs of Retrain at most; 0 for as many as the original had.
        retrain_seeds: seeds of Retrain at most; 0 for as many as all others have.
        retain_seeds: seeds at most of tuned methods that are given remaining data, of which all of it takes longest; 0
            as above.
        official_seeds: seeds of official settings at most, where they are not those that tuning chose; 0 as above.
        timed_epochs: epochs of Retrain at most where seconds are what it is about; 0 for all.
        invented_batches: batches that GKT invents and learns from; tuned only at full scale, since it costs most.
        fisher_images: remaining images from which Fisher forgetting measures its information.
        relearning_steps: steps of relearning at most.
        relearning_seeds: seeds whose relearning is measured.
    """

    name: str
    forget_images: int = 0
    retain_images: int = 0
    test_images: int = 0
    trials: int = 6
    retrain_images: int = 0
    retrain_epochs: int = 0
    retrain_seeds: int = 0
    retain_seeds: int = 0
    official_seeds: int = 0
    timed_epochs: int = 0
    invented_batches: int = 4000
    fisher_images: int = 1000
    relearning_steps: int = 500
    relearning_seeds: int = 3


SMALL = Scale(
    name="small",
    forget_images=250,
    retain_images=750,
    test_images=2000,
    trials=3,
    retrain_images=6000,
    retrain_epochs=8,
    retrain_seeds=1,
    official_seeds=1,
    invented_batches=20,
    fisher_images=250,
    relearning_steps=80,
    relearning_seeds=1,
)
FULL = Scale(name="full")
BRIEF = Scale(
    name="brief",
    trials=3,
    retrain_seeds=1,
    retain_seeds=1,
    official_seeds=1,
    timed_epochs=2,
    invented_batches=200,
    fisher_images=250,
    relearning_steps=200,
    relearning_seeds=1,
)
"""All images and epochs, fewer trials and seeds: minutes on one GPU where `full` takes hours."""
SCALES = {"small": SMALL, "brief": BRIEF, "full": FULL}


def few_images(scale: Scale) -> Scale:
    """Return a scale for a model of few training images: all forget images, the whole Retrain, every seed."""
    whole = replace(scale, forget_images=0, retrain_images=0, retrain_epochs=0)
    return replace(whole, retrain_seeds=0, retain_seeds=0, official_seeds=0)


def every_image(scale: Scale) -> Scale:
    """Return a scale for times on all images, which every method is given.

    Where the scale cuts Retrain short, what costs most (Retrain, methods that are given remaining data) has one seed,
    and Retrain one epoch, or as many as are timed.
    """
    whole = replace(scale, forget_images=0, retain_images=0, retrain_images=0)
    if not (scale.retrain_epochs or scale.timed_epochs):
        return whole
    return replace(whole, retain_seeds=1, retrain_seeds=1, retrain_epochs=scale.timed_epochs or 1)
