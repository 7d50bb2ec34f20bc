"""Seeded splits of labelled images, and the checks that no class is left without any."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zspag_core.data.classes import MAX_CLASSES
from zspag_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_CLASSES = 2
TEST_SHARE = 0.2
SPLIT_SEED = 0


def check_classes(name: str, count: int) -> None:
    """Refuse a number of classes that a classifier of this project cannot be trained on.

    Raises:
        DataError: fewer than 2 or more than 1,000.
    """
    if not MIN_CLASSES <= count <= MAX_CLASSES:
        hint = " (images to forget alone need the model's class names beside them)" if count == 1 else ""
        raise DataError(f"{name} has {_counted(count)}; expected {MIN_CLASSES} to {MAX_CLASSES:,}{hint}.")


def check_range(what: str, labels: Tensor, count: int) -> None:
    """Refuse labels outside 0..count-1.

    Raises:
        DataError: there is one.
    """
    outside = labels[(labels < 0) | (labels >= count)]
    if len(outside):
        raise DataError(f"A label of {what} is {int(outside[0])}; expected 0 to {count - 1}.")


def check_filled(what: str, labels: Tensor, class_names: Sequence[str]) -> None:
    """Refuse classes that no label names.

    Raises:
        DataError: there is one.
    """
    empty = absent(labels, len(class_names))
    if empty:
        others = f" (as are {len(empty) - 1} others)" if len(empty) > 1 else ""
        raise DataError(
            f"Class '{class_names[empty[0]]}' is empty in {what}{others}; expected at least one image of each class."
        )


def check_pairs(name: str, labels: Tensor, class_names: Sequence[str]) -> None:
    """Refuse classes with a single image, which cannot be in both parts of a split.

    Raises:
        DataError: there is one.
    """
    counts = torch.bincount(labels, minlength=len(class_names))
    single = (counts == 1).nonzero().flatten().tolist()
    if single:
        raise DataError(
            f"Class '{class_names[single[0]]}' of {name} has one image; two are needed, one of them for testing."
        )


def absent(labels: Tensor, count: int) -> list[int]:
    """Return the classes from 0 to count - 1 that no label names."""
    return (torch.bincount(labels, minlength=count) == 0).nonzero().flatten().tolist()


def stratified_split(labels: Tensor, seed: int = SPLIT_SEED, share: float = TEST_SHARE) -> tuple[Tensor, Tensor]:
    """Return the indices of a training and a test part, each class shared out alike.

    One generator serves all classes, so that what is kept of one depends on the images of those before it.

    Args:
        labels: (N,) int64.
        seed: the same seed gives the same split.
        share: of each class, for the second part.

    Returns:
        Two ascending index vectors; the share of each class, at least one image, is in the second.
    """
    generator = torch.Generator().manual_seed(seed)
    is_test = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(int(labels.max()) + 1):
        members = (labels == label).nonzero().flatten()
        order = torch.randperm(len(members), generator=generator)
        is_test[members[order[: max(1, round(share * len(members)))]]] = True
    return (~is_test).nonzero().flatten(), is_test.nonzero().flatten()


def split_by_class(labels: Tensor, class_names: Sequence[str], share: float) -> tuple[Tensor, Tensor]:
    """Return the indices of a training and a test part; what is kept of a class depends on its own images alone.

    Args:
        labels: (N,) int64.
        class_names: each class's generator is seeded by its name.
        share: of each class, for the second part; at least one image stays in the first.

    Returns:
        Two ascending index vectors.
    """
    is_test = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique().tolist():
        members = (labels == label).nonzero().flatten()
        seed = int.from_bytes(hashlib.sha256(class_names[label].encode()).digest()[:7], "big")
        order = torch.randperm(len(members), generator=torch.Generator().manual_seed(seed))
        is_test[members[order[: min(len(members) - 1, round(share * len(members)))]]] = True
    return (~is_test).nonzero().flatten(), is_test.nonzero().flatten()


def _counted(count: int) -> str:
    """Return a number of classes in words."""
    return "only one class" if count == 1 else f"{count:,} classes"
