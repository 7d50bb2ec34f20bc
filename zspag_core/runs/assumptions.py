"""A data set loaded as a model wants it, and what is only assumed about the two, tried on labelled images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

import torch

from zspag_core.class_names import given_twice
from zspag_core.compatibility import check_fit
from zspag_core.data import load_dataset
from zspag_core.errors import UsageError
from zspag_core.input_checks.altered_images import check_altered
from zspag_core.input_checks.alternatives import WrongReading, with_reading
from zspag_core.input_checks.class_order import KEPT, check_order
from zspag_core.input_checks.forgotten_classes import check_classes
from zspag_core.input_checks.preparation import READ_BY, check_reading
from zspag_core.input_checks.sample import AskedSample
from zspag_core.runs.forgotten import already_forgotten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zspag_core.checkpoints import Checkpoint
    from zspag_core.data.dataset import DataSet
    from zspag_core.data.resizing import Size
    from zspag_core.input_checks.alternatives import Alternative

ONE_CLASS = (
    "images of one class cannot tell, for wrongly prepared ones may all be read as that class, and then the estimates "
    "mean nothing: are they prepared so?"
)
SURE = "the images are taken to be prepared as in the model's training"
SURE_ALONE = f"{SURE}; {ONE_CLASS}"


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
    checkpoint: Checkpoint,
    dataset: DataSet,
    data: str,
    order: str,
    *,
    forget: Sequence[int] = (),
    forgotten: Sequence[int] = (),
) -> DataSet:
    """Try what is only assumed, or doubtful, about a model that is not of ours on the images at hand.

    Args:
        checkpoint: the model.
        dataset: as loaded for it.
        data: name or path of that.
        order: see :class:`RunConfig`.
        forget: classes to forget, whose images must be read as theirs.
        forgotten: classes that the model may have forgotten before: their images say nothing about the order.

    Returns:
        The data set, with notes: on what is assumed, where an order was chosen that the model's answers contradict,
        where many images of a class to forget are read as another one, where one is to be forgotten again.

    Raises:
        UsageError: another reading of its input, or another order of its classes, is clearly better, the images look
            altered, or those of a class to forget are read as another one.
    """
    asked = AskedSample.about(checkpoint.model, dataset)
    notes: tuple[str, ...] = ()
    if checkpoint.about.get("data") != data:
        notes += check_altered(asked, kept=(order or chosen_order(checkpoint)) == KEPT)
    if not _says_everything(checkpoint):
        notes += _check_input_and_order(checkpoint, asked, data, order, forgotten)
    notes += _check_forgotten(checkpoint, asked, forget, order, forgotten)
    return replace(dataset, notes=(*dataset.notes, *notes))


def _check_input_and_order(
    checkpoint: Checkpoint, asked: AskedSample, data: str, order: str, forgotten: Sequence[int]
) -> tuple[str, ...]:
    """Try how the images are prepared, and the order of the classes, of a model that is not of ours."""
    notes = _preparation_notes(checkpoint.about.get("assumed") or {}, asked.dataset)

    def at_size(size: int) -> DataSet:
        return load_for(checkpoint, data, order=order, size=size)

    def ordered(images: AskedSample) -> tuple[str, ...]:
        known = images.without(forgotten)
        return () if known is None else check_order(known, **_how_ordered(checkpoint, images.dataset, order)).doubt()

    try:
        doubts = check_reading(checkpoint, asked, at_size)
    except WrongReading as wrong:
        raise UsageError(f"{wrong}{_then(wrong.better, asked, at_size, ordered)}") from None
    return (*notes, *doubts, *ordered(asked))


def _preparation_notes(assumed: Mapping[str, Any], dataset: DataSet) -> tuple[str, ...]:
    """Say what is assumed of how the images are prepared, and that images of one class cannot tell."""
    alone = len(torch.cat([dataset.train.labels, dataset.test.labels]).unique()) == 1
    note = (
        f"the model's file does not say how its images are prepared; assumed: {_in_words(assumed)}" if assumed else SURE
    )
    if alone:
        return (f"{note}; {ONE_CLASS}",)
    return (note,) if assumed else ()


def _check_forgotten(
    checkpoint: Checkpoint, asked: AskedSample, classes: Sequence[int], order: str, earlier: Sequence[int]
) -> tuple[str, ...]:
    """Refuse classes to forget that a model which is not of ours reads as others; see :func:`check_classes`."""
    again, new = set(classes) & set(earlier), [k for k in classes if k not in earlier]
    how, sure = _how_ordered(checkpoint, asked.dataset, order), _says_everything(checkpoint)
    notes = () if sure else check_classes(asked, new, **how)
    if again:
        words = already_forgotten(again, asked.dataset.class_names)
        if not sure and not new:
            try:
                check_classes(asked, list(again), **how)
            except UsageError:
                raise UsageError(f"{words}; name other classes, or the model as it was before") from None
        notes = (*notes, words)
    return notes


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
    better: Alternative, asked: AskedSample, at_size: Callable[[int], DataSet], ordered: Callable[[AskedSample], object]
) -> str:
    """Say what is wrong with the order, too, once the images are prepared in a better way; empty where nothing is."""
    size, model = better.fields.get("image_size"), with_reading(asked.model, **better.fields)
    try:
        ordered(AskedSample.about(model, at_size(size)) if size else asked.by(model))
    except UsageError as error:
        return f"; then {error}"
    return ""


def chosen_order(checkpoint: Checkpoint) -> str:
    """Return the order of the classes that a person chose when the checkpoint was written; empty where nobody did."""
    known = checkpoint.about.get("told")
    order = known.get("order") if isinstance(known, dict) else None
    return order if isinstance(order, str) else ""
