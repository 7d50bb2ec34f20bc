"""Which images a run is about: what the model was trained on, what it must forget, what the method sees of that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.data.backdoor import plant
from zspag_core.errors import UsageError
from zspag_core.metrics.backdoor import planted_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from zspag_core.data.dataset import DataSet, Split

MOST_SEED = 2**63
HOLD_OUT_SEED = 0  # the same images, whatever the run's seed


def as_trained(dataset: DataSet, about: Mapping[str, Any], asked: Sequence[int]) -> DataSet:
    """Return a data set whose training part is what a model has seen: to membership inference the rest differs.

    Images of classes that the training excluded are left out, and those that its train_limit did not draw. Of the
    classes that are asked about, excluded ones keep their images: they are the strangers that a retrained model is
    asked about. Where a header does not tell for sure, all images stay: other data than it names, a training that went
    on from another, a planted backdoor.

    Args:
        dataset: whole.
        about: the checkpoint's header, which may be anybody's.
        asked: the classes in the role of the forgotten ones.

    Raises:
        UsageError: nothing was drawn of a class that is asked about.
    """
    excluded = about.get("excluded")
    if not isinstance(excluded, list) or any(type(k) is not int for k in excluded):
        return dataset
    if about.get("data") != dataset.name or about.get("started_from") or about.get("backdoor"):
        return dataset
    labels = dataset.train.labels
    left_out = torch.isin(labels, torch.tensor(excluded, dtype=torch.long))
    strangers = left_out & torch.isin(labels, torch.tensor(list(asked), dtype=torch.long))
    seen = _drawn(dataset.train, ~left_out, about) | strangers
    if bool(seen.all()):
        return dataset
    for k in asked:
        if not bool(seen[labels == k].any()):
            raise UsageError(f"forget: the model was trained on some images of {dataset.name}, none of class {k}")
    return replace(dataset, train=dataset.train[seen.nonzero().flatten()])


def _drawn(train: Split, pool: Tensor, about: Mapping[str, Any]) -> Tensor:
    """Return which images (N,) bool of a pool, likewise, a train_limit drew by its recipe's seed; else the pool."""
    recipe = about.get("recipe")
    recipe = recipe if isinstance(recipe, dict) else {}
    limit, seed = recipe.get("train_limit"), recipe.get("seed")
    if type(limit) is not int or type(seed) is not int or limit < 1 or not 0 <= seed < MOST_SEED:
        return pool
    if about.get("images") != describe_images(train):  # in another order the same draw means other images
        return pool
    places = pool.nonzero().flatten()
    chosen = torch.randperm(len(places), generator=torch.Generator().manual_seed(seed))[:limit]
    return torch.zeros_like(pool).index_fill_(0, places[chosen], value=True)


def describe_images(train: Split) -> dict[str, int]:
    """Return what a checkpoint's header says of the images that a training could choose from."""
    return {"count": len(train), "fingerprint": train.fingerprint()}


def forget_samples(dataset: DataSet, forget: Sequence[int], about: Mapping[str, Any]) -> Split:
    """Return the training images of the forgotten classes as a model was trained on them, in the data set's order.

    Where its header says that a backdoor was planted in one of these classes, half of that class's images carry the
    trigger and the target's label, the very ones that the training chose.

    Args:
        dataset: clean.
        forget: the forgotten classes.
        about: the checkpoint's header; its recipe's seed says which images were chosen (0, as in training, where it
            names none).

    Source: Chen et al., ZS-PAG, section 4.4.
    """
    samples, planted = dataset.train.of_classes(forget), planted_in(about, dataset.num_classes)
    if planted is None or planted.source not in forget:
        return samples
    recipe = about.get("recipe")
    seed = recipe.get("seed") if isinstance(recipe, dict) else None
    return plant(samples, planted.source, planted.target, seed if isinstance(seed, int) else 0)


def find_forget(asked: Sequence[int | str], dataset: DataSet) -> tuple[int, ...]:
    """Return the numbers of the classes to forget, rising.

    Raises:
        UsageError: none, unknown, repeated or all classes, or one without training images.
    """
    classes = dataset.find_classes(asked, "forget")
    for k in classes:
        if not bool((dataset.train.labels == k).any()):
            raise UsageError(
                f"forget: the training part of {dataset.name} has no image of class {k}, {dataset.class_names[k]!r}"
            )
    return classes


def shown_to_method(labels: Tensor, hold_out: float) -> Tensor:
    """Return which images (N,) bool of labels (N,) a method sees when a share of every class is held out.

    Args:
        labels: of all images of the forgotten classes.
        hold_out: percent; of a class of two or more images at least one is held out and one is left.
    """
    shown, generator = torch.ones(len(labels), dtype=torch.bool), torch.Generator().manual_seed(HOLD_OUT_SEED)
    for k in labels.unique().tolist() if hold_out else ():
        mine = (labels == k).nonzero().flatten()
        count = min(max(1, round(hold_out / 100 * len(mine))), len(mine) - 1)
        shown[mine[torch.randperm(len(mine), generator=generator)[:count]]] = False
    return shown
