"""A data set loaded as a model wants it, and what is only assumed about the two, tried on labelled images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

import torch

from zspag_core.altered import check_altered
from zspag_core.class_names import given_twice
from zspag_core.data import load_dataset
from zspag_core.doubts import KEPT, READ_BY, WrongReading, check_classes, check_order, check_reading, with_reading
from zspag_core.errors import UsageError
from zspag_core.fit import check_fit
from zspag_core.runs.forgotten import already_forgotten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zspag_core.checkpoints import Checkpoint
    from zspag_core.data.dataset import DataSet
    from zspag_core.data.resizing import Size
    from zspag_core.doubts import Tried
    from zspag_core.models import Classifier

ONE_CLASS = (
    "images of one class cannot tell whether it is so, for wrongly prepared ones may all be read as that class: what "
    "is estimated holds only if it is"
)


class _HowOrdered(TypedDict):
    """How the order of the classes came about; the arguments of :func:`check_order` and :func:`check_classes`."""

    chosen: str
    assumed: str
    named: bool


def with_names(checkpoint: Checkpoint, names: Sequence[str] | None) -> Checkpoint:
    """Return a checkpoint whose outputs are called as a person says; as its file says where they are not told.

    Raises:
        UsageError: not one name for each output, or one name twice.
    """
    if names is None:
        return checkpoint
    count = checkpoint.model.config.num_classes
    if len(names) != count:
        raise UsageError(f"classes: expected {count} names, one for each output of the model, got {len(names)}")
    if (twice := given_twice(names)) is not None:
        raise UsageError(f"classes: expected every name once, got {twice!r} twice")
    return replace(checkpoint, about=checkpoint.about | {"class_names": list(names)})


def load_for(
    checkpoint: Checkpoint, data: str, *, order: str = "", size: Size | None = None, download: bool = True
) -> DataSet:
    """Load a data set as a model wants its images and check that the classes agree.

    Args:
        checkpoint: whose model it is for.
        data: name or path.
        order: see :class:`RunConfig`.
        size: how images are resized; None as the model wants them.
        download: whether the network may be used.

    Raises:
        UsageError: the model has other classes than the data, in number or order.
    """
    shape = checkpoint.model.config
    dataset = load_dataset(
        data,
        image_size=shape.size if size is None else size,
        channels=shape.channels,
        class_names=checkpoint.about.get("class_names"),
        num_classes=shape.num_classes,
        order=None if order in {"", KEPT} else order,
        download=download,
    )
    check_fit(checkpoint, dataset)
    return dataset


def _plainly(value: object) -> str:
    """Return a value as a person would type it."""
    if isinstance(value, list | tuple):
        return "/".join(f"{part:g}" for part in value)
    return str(value)


def _in_words(assumed: Mapping[str, Any]) -> str:
    """Return what is assumed as a list."""
    return ", ".join(f"{name.replace('_', ' ')} {_plainly(value)}" for name, value in assumed.items())


def check_assumptions(
    checkpoint: Checkpoint, dataset: DataSet, data: str, order: str, *, left_out: Sequence[int] = ()
) -> DataSet:
    """Try what is only assumed, or doubtful, about a model that is not of ours on the images at hand.

    Args:
        checkpoint: the model.
        dataset: as loaded for it.
        data: name or path of that.
        order: see :class:`RunConfig`.
        left_out: classes whose images say nothing about the order: the model may have forgotten them.

    Returns:
        The data set, with a note on what is assumed, and one where an order was chosen that the model's answers
        contradict.

    Raises:
        UsageError: another reading of its input, or another order of its classes, is clearly better.
    """
    if checkpoint.about.get("data") != data:
        altered = check_altered(checkpoint.model, dataset, kept=(order or chosen_order(checkpoint)) == KEPT)
        dataset = replace(dataset, notes=(*dataset.notes, *altered))
    if _says_everything(checkpoint):
        return dataset
    assumed = checkpoint.about.get("assumed") or {}
    dataset = replace(dataset, notes=(*dataset.notes, *_preparation_notes(assumed, dataset)))

    def at_size(size: int) -> DataSet:
        return load_for(checkpoint, data, order=order, size=size)

    def ordered(model: Classifier, images: DataSet) -> tuple[str, ...]:
        told = without(images, left_out)
        return () if told is None else check_order(model, told, **_how_ordered(checkpoint, images, order)).doubt()

    try:
        doubts = check_reading(checkpoint, dataset, at_size)
    except WrongReading as wrong:
        raise UsageError(f"{wrong}{_then(wrong.better, checkpoint, dataset, at_size, ordered)}") from None
    return replace(dataset, notes=(*dataset.notes, *doubts, *ordered(checkpoint.model, dataset)))


def without(dataset: DataSet, classes: Sequence[int]) -> DataSet | None:
    """Return a data set without the images of some classes, None where it has no others."""
    rest = replace(dataset, train=dataset.train.without_classes(classes), test=dataset.test.without_classes(classes))
    return rest if len(rest.train) + len(rest.test) else None


def _preparation_notes(assumed: Mapping[str, Any], dataset: DataSet) -> tuple[str, ...]:
    """Say what is assumed of how the images are prepared, and that images of one class cannot tell."""
    alone = len(torch.cat([dataset.train.labels, dataset.test.labels]).unique()) == 1
    sure = "the images are taken to be prepared as in the model's training"
    note = (
        f"the model's file does not say how its images are prepared; assumed: {_in_words(assumed)}" if assumed else sure
    )
    if alone:
        return (f"{note}; {ONE_CLASS}",)
    return (note,) if assumed else ()


def check_forgotten(
    checkpoint: Checkpoint, dataset: DataSet, classes: Sequence[int], order: str, earlier: Sequence[int] = ()
) -> DataSet:
    """Refuse classes to forget that a model which is not of ours reads as others; see :func:`check_classes`.

    Args:
        checkpoint: the model.
        dataset: as loaded for it.
        classes: to forget.
        order: see :class:`RunConfig`.
        earlier: classes that the model is known to have forgotten before.

    Returns:
        The data set, with a note on every class of which many images are read as another one, and where
        classes are to be forgotten again.

    Raises:
        UsageError: the images of a class are read as another one.
    """
    again, new = set(classes) & set(earlier), [k for k in classes if k not in earlier]
    how, sure = _how_ordered(checkpoint, dataset, order), _says_everything(checkpoint)
    notes = () if sure else check_classes(checkpoint.model, dataset, new, **how)
    if again:
        words = already_forgotten(again, dataset.class_names)
        if not sure and not new:
            try:
                check_classes(checkpoint.model, dataset, list(again), **how)
            except UsageError:
                raise UsageError(f"{words}; name other classes, or the model as it was before") from None
        notes = (*notes, words)
    return replace(dataset, notes=(*dataset.notes, *notes))


def _says_everything(checkpoint: Checkpoint) -> bool:
    """Tell whether a model's own file says all of it, as ours do."""
    return checkpoint.origin is None and not checkpoint.about.get("assumed")


def _how_ordered(checkpoint: Checkpoint, dataset: DataSet, order: str) -> _HowOrdered:
    """Return how the order of the classes came about: chosen, matched by name, and what else may be taken wrongly."""
    assumed = checkpoint.about.get("assumed") or {}
    return {
        "chosen": order or chosen_order(checkpoint),
        "assumed": _in_words({name: value for name, value in assumed.items() if name in READ_BY}),
        "named": tuple(checkpoint.about.get("class_names") or ()) == dataset.class_names,
    }


def _then(
    better: Tried,
    checkpoint: Checkpoint,
    dataset: DataSet,
    at_size: Callable[[int], DataSet],
    ordered: Callable[[Classifier, DataSet], object],
) -> str:
    """Say what is wrong with the order, too, once the images are prepared in a better way; empty where nothing is."""
    size = better.fields.get("image_size")
    try:
        ordered(with_reading(checkpoint.model, **better.fields), at_size(size) if size else dataset)
    except UsageError as error:
        return f"; then {error}"
    return ""


def chosen_order(checkpoint: Checkpoint) -> str:
    """Return the order of the classes that a person chose when the checkpoint was written; empty where nobody did."""
    told = checkpoint.about.get("told")
    order = told.get("order") if isinstance(told, dict) else None
    return order if isinstance(order, str) else ""
