"""Labels -> a checked, whole :class:`DataSet`, with a seeded split where the source has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zspag_core.data.dataset import DataSet, Split
from zspag_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_CLASSES = 2
MAX_CLASSES = 1000
TEST_SHARE = 0.2
SPLIT_SEED = 0


def assemble(name: str, class_names: Sequence[str], train: Split, test: Split) -> DataSet:
    """Return the data set once every label is in range and every class has images in both splits.

    Raises:
        DataError: fewer than 2 or more than 1,000 classes, a label out of range, a class without images.
    """
    check_classes(name, len(class_names))
    for part, split in (("training", train), ("test", test)):
        check_labels(f"the {part} images of {name}", split.labels, class_names)
    return DataSet(name, tuple(class_names), train, test)


def assemble_unsplit(name: str, class_names: Sequence[str], images: Split) -> DataSet:
    """Return the data set made of one set of images by a fixed, stratified 80/20 split.

    Raises:
        DataError: as :func:`assemble`; a class with a single image cannot be in both splits.
    """
    check_classes(name, len(class_names))
    check_labels(f"the images of {name}", images.labels, class_names)
    train, test = stratified_split(images.labels)
    return assemble(name, class_names, images[train], images[test])


def check_classes(name: str, count: int) -> None:
    """Refuse a number of classes that a classifier of this project cannot have."""
    if not MIN_CLASSES <= count <= MAX_CLASSES:
        raise DataError(f"{name} has {_counted(count)}; expected {MIN_CLASSES} to {MAX_CLASSES:,}.")


def numbered(name: str, *labels: Tensor) -> list[str]:
    """Return the labels' numbers as names of the classes, where a source has no names.

    Raises:
        DataError: a label so large that there would be too many classes.
    """
    count = 1 + max(int(part.max()) for part in labels)
    check_classes(name, count)
    return [str(number) for number in range(count)]


def check_labels(what: str, labels: Tensor, class_names: Sequence[str]) -> None:
    """Refuse labels outside 0..K-1 and classes that no label names."""
    outside = labels[(labels < 0) | (labels >= len(class_names))]
    if len(outside):
        raise DataError(f"A label of {what} is {int(outside[0])}; expected 0 to {len(class_names) - 1}.")
    counts = torch.bincount(labels, minlength=len(class_names))
    empty = (counts == 0).nonzero().flatten().tolist()
    if empty:
        raise DataError(
            f"Class '{class_names[empty[0]]}' is empty in {what}; expected at least one image of each class."
        )


def stratified_split(labels: Tensor, seed: int = SPLIT_SEED) -> tuple[Tensor, Tensor]:
    """Return the indices of a training and a test part, each class shared out alike.

    Args:
        labels: (N,) int64.
        seed: the same seed gives the same split.

    Returns:
        Two ascending index vectors; a fifth of each class, at least one image, is in the second.
    """
    generator = torch.Generator().manual_seed(seed)
    is_test = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(int(labels.max()) + 1):
        members = (labels == label).nonzero().flatten()
        order = torch.randperm(len(members), generator=generator)
        is_test[members[order[: max(1, round(TEST_SHARE * len(members)))]]] = True
    return (~is_test).nonzero().flatten(), is_test.nonzero().flatten()


def _counted(count: int) -> str:
    """Return a number of classes in words."""
    return "only one class" if count == 1 else f"{count:,} classes"
