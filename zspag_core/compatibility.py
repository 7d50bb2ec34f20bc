"""Whether a model and a data set belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.checkpoints import Checkpoint
    from zspag_core.data import DataSet


def check_fit(checkpoint: Checkpoint, dataset: DataSet) -> None:
    """Refuse a data set whose labels mean other classes than the model's outputs.

    Raises:
        UsageError: they differ in number, or name the same classes in another order.
    """
    reason = why_not(checkpoint.model.config.num_classes, checkpoint.about.get("class_names"), dataset)
    if reason is not None:
        raise UsageError(f"model and data do not fit: {reason}")


def why_not(classes: int, names: Sequence[str] | None, data: DataSet) -> str | None:
    """Return in a few words why a model cannot be used with a data set, or None.

    Args:
        classes: number of the model's outputs.
        names: what the model calls them, None where it does not say.
        data: the data set.
    """
    if names is None and data.num_classes < classes:
        return (
            f"the model tells {classes} classes apart, {data.name} has {data.num_classes}, and nothing says which of "
            "the model's these are; name them all in the model's order (--classes FILE, one name a line)"
        )
    if classes != data.num_classes:
        return f"the model tells {classes} classes apart, {data.name} has {data.num_classes}"
    if names is not None and tuple(names) != data.class_names and set(names) == set(data.class_names):
        return f"the classes are numbered differently: {_first_difference(names, data)}"
    return None


def other_names(data: DataSet) -> str | None:
    """Return in a few words that a data set's classes were taken for a model's by their order alone, else None."""
    from zspag_core.data.classes import DIFFER  # here: what pages import of this module needs no torch

    return next((note for note in data.notes if note.startswith(DIFFER)), None)


def _first_difference(names: Sequence[str], data: DataSet) -> str:
    """Name the first class that two lists of as many names call differently."""
    label = next(k for k, name in enumerate(names) if name != data.class_names[k])
    return f"class {label} is '{names[label]}' to the model, '{data.class_names[label]}' in {data.name}"
