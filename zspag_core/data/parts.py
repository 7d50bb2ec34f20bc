"""What every form of source is before its images are decoded: parts of labelled images -> a checked data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zspag_core.data.classes import NAMED, Numbering, number_labels, number_names, numbered
from zspag_core.data.dataset import DataSet, Split
from zspag_core.data.reading import PLAIN, ClassReading
from zspag_core.data.split import (
    TEST_SHARE,
    absent,
    check_classes,
    check_filled,
    check_pairs,
    check_range,
    split_by_class,
    stratified_split,
)
from zspag_core.errors import DataError, MisfitError, some_of
from zspag_core.wording import well_formed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zspag_core.data.images import Pictures
    from zspag_core.data.resizing import Size

    Make = Callable[[Sequence[Tensor], Size, int], tuple[Sequence[Pictures], Sequence[str]]]

UNLABELLED = -1
"""The label of an image that has none."""


@dataclass(frozen=True)
class Part:
    """Which class each image of one part of a source is of.

    Attributes:
        what: what a message calls the images, such as "the training images of mine.zip".
        labels: (N,) int64, `UNLABELLED` where the source does not say.
    """

    what: str
    labels: Tensor


@dataclass(frozen=True)
class FoundSource:
    """A source that was looked into; no image has been decoded.

    Attributes:
        name: of the data set.
        train: the images to train on, or all of them where there is no test part.
        test: the images to grade on, None where the source has no such part.
        make: returns the images at the rows of each part, at a size and number of channels, and what to note of them.
        class_names: what the labels mean; None where the source only numbers its classes.
        numbered: whether the class names stand in an order that the source gives.
        count: the number of classes, where the source tells it without naming them.
        notes: what was assumed or left aside.
    """

    name: str
    train: Part
    test: Part | None
    make: Make
    class_names: Sequence[str] | None = None
    numbered: bool = False
    count: int | None = None
    notes: tuple[str, ...] = ()


def finish(found: FoundSource, image_size: Size, channels: int, reading: ClassReading = PLAIN) -> DataSet:
    """Return the data set, once every label is checked and numbered as the model's outputs are.

    Without a model every class must have images in both parts; a source without a test part is split by a fixed,
    stratified fifth. With a model classes may be missing; where some are, nothing is held out unless it is asked for.

    Args:
        found: the source.
        image_size: side of the images in pixels, or how it comes about.
        channels: 1 or 3.
        reading: what is known of the classes.

    Raises:
        DataError: labels that are out of range or mean no class of the model, a class without images.
    """
    parts, rows, notes = _labelled(found)
    numbering = _number(found, parts, reading)
    parts = [Part(part.what, _renumbered(part.labels, numbering)) for part in parts]
    check = _check_whole if reading.outputs is None else _check_some
    more = check(found.name, numbering.class_names, parts)
    pictures, seen = found.make(rows, image_size, channels)
    splits = [Split(images, part.labels) for images, part in zip(pictures, parts, strict=True)]
    if len(splits) == 1:
        held = _held_out(splits[0].labels, numbering.class_names, reading)
        splits = [splits[0][part] for part in held]
    train, test = splits
    every = dict.fromkeys((*notes, *numbering.notes, *more, *seen))
    return DataSet(found.name, numbering.class_names, train, test, tuple(every))


def _labelled(found: FoundSource) -> tuple[list[Part], list[Tensor], list[str]]:
    """Return the parts without unlabelled images, the rows that stay, and notes on what was left aside."""
    parts, rows, notes = [], [], list(found.notes)
    for part in (found.train, found.test):
        if part is None:
            continue
        kept = (part.labels != UNLABELLED).nonzero().flatten()
        if (left := len(part.labels) - len(kept)) > 0:
            notes.append(f"{left:,} of {part.what} have no label and are left aside")
        if len(kept):
            parts.append(Part(part.what, part.labels[kept]))
            rows.append(kept)
        elif part is found.train:
            raise DataError(f"{part.what[0].upper()}{part.what[1:]} have no labels; expected the class of each.")
    return parts, rows, notes


def _number(found: FoundSource, parts: Sequence[Part], reading: ClassReading) -> Numbering:
    """Return which output each class is."""
    if found.class_names is None:
        present = torch.cat([part.labels for part in parts]).unique().tolist()
        if present[0] < 0:
            raise DataError(f"A label of {found.name} is {present[0]}; expected 0 or above.")
        if found.count is not None:
            return _counted(found.name, found.count, reading)
        return number_labels(found.name, present, reading)
    for part in parts:
        check_range(part.what, part.labels, len(found.class_names))
    used = _used(found, parts, reading)
    names = [well_formed(found.class_names[k]) for k in used]
    numbering = number_names(found.name, names, reading, numbered=found.numbered)
    return Numbering(numbering.class_names, {used[k]: at for k, at in numbering.places.items()}, numbering.notes)


def _counted(name: str, count: int, reading: ClassReading) -> Numbering:
    """Return the numbering of labels whose number of classes the source tells.

    Raises:
        MisfitError: the model has another number.
    """
    if reading.outputs not in {None, count}:
        raise MisfitError(f"the model tells {reading.outputs} classes apart, {name} has {count} (one-hot columns)")
    return Numbering(reading.class_names or numbered(name, count - 1), {k: k for k in range(count)})


def _used(found: FoundSource, parts: Sequence[Part], reading: ClassReading) -> list[int]:
    """Return the classes that need an output: all, or those with images where the model names more or fewer."""
    every = list(range(len(found.class_names or ())))
    if reading.class_names is None or len(reading.class_names) == len(every):
        return every
    present = torch.cat([part.labels for part in parts]).unique()
    return [int(label) for label in present]


def _renumbered(labels: Tensor, numbering: Numbering) -> Tensor:
    """Return the outputs that labels stand for."""
    known = sorted(numbering.places)  # no table up to the highest label: labels may be years, or numbers of customers
    places = torch.tensor([numbering.places[label] for label in known])
    at = torch.searchsorted(torch.tensor(known), labels).clamp(max=len(known) - 1)
    return torch.where(torch.tensor(known)[at] == labels, places[at], UNLABELLED)


def _check_whole(name: str, class_names: Sequence[str], parts: Sequence[Part]) -> list[str]:
    """Refuse classes that lack images in a part, or have one where there is a part to be split."""
    check_classes(name, len(class_names))
    for part in parts:
        check_filled(part.what, part.labels, class_names)
    if len(parts) == 1:
        check_pairs(name, parts[0].labels, class_names)
    return []


def _check_some(name: str, class_names: Sequence[str], parts: Sequence[Part]) -> list[str]:
    """Return notes on classes of a model that the data have no images of."""
    count, notes = len(class_names), []
    without = absent(parts[0].labels, count)
    if without:
        there = [class_names[k] for k in parts[0].labels.unique().tolist()]
        notes.append(f"{name} has images of {len(there)} of the model's {count} classes: {some_of(there, NAMED)}")
    elif len(parts) == 1:
        check_pairs(name, parts[0].labels, class_names)
    ungraded = [k for k in absent(parts[-1].labels, count) if k not in without] if len(parts) > 1 else []
    if ungraded:
        names = some_of([class_names[k] for k in ungraded], NAMED)
        notes.append(f"the test part of {name} has no image of {names}: that is not graded")
    return notes


def _held_out(labels: Tensor, class_names: Sequence[str], reading: ClassReading) -> tuple[Tensor, Tensor]:
    """Return the rows to train on and those to grade on, of a source without a test part."""
    whole = not absent(labels, len(class_names))
    share = reading.held_out if reading.held_out is not None else TEST_SHARE * whole
    if share == 0:
        return torch.arange(len(labels)), torch.arange(0)
    return stratified_split(labels, share=share) if whole else split_by_class(labels, class_names, share)
