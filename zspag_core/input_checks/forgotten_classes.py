"""A class to forget whose images the model reads as another one: theirs, or others among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core.diagnosis import hardly_read
from zspag_core.errors import UsageError
from zspag_core.input_checks.class_order import KEPT, one_class_words, try_orders
from zspag_core.input_checks.preparation import WELL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zspag_core.data import DataSet
    from zspag_core.input_checks.class_order import OrderFigures
    from zspag_core.input_checks.sample import AskedSample

FEWEST = 10
"""Images of a class from which on it is told that they are read as another one."""
STRANGERS, UNSURE = 20.0, 50.0
"""Percent of a class's images that are read as one other class, and percent that are read as their own, from which on
and up to which that is told. Of ten trained networks, class by class, ten of 100 are told of with all in order: shirts,
coats and pullovers of five weak readers of Fashion-MNIST (30 to 64 % right, 20 to 33 % as one other class)."""


def check_classes(
    asked: AskedSample, classes: Sequence[int], chosen: str | None, assumed: str = "", *, named: bool
) -> tuple[str, ...]:
    """Refuse classes to forget whose images the model reads as another class, however well it reads the rest.

    Two names that changed places among many hardly move the figures of
    :func:`~zspag_core.input_checks.class_order.check_order`.

    Args:
        asked: the model about images that are numbered as the run takes them.
        classes: that are to be forgotten.
        chosen: as in :func:`~zspag_core.input_checks.class_order.check_order`.
        assumed: as there.
        named: as there.

    Returns:
        A note on every class of which many images are read as another one: others may lie among them.

    Raises:
        UsageError: it says as what the images are read and how to put it right.
    """
    notes: list[str] = []
    for figures in class_figures(asked, classes):
        if read_as_another(figures) and chosen != KEPT:
            (k,) = figures.said
            raise UsageError(one_class_words(asked.about_class(k), figures, assumed, named=named))
        notes += strangers(asked.dataset, figures)
    return tuple(notes)


def class_figures(asked: AskedSample, classes: Sequence[int]) -> Iterator[OrderFigures]:
    """Yield what a model reads in the images of each class, where there are enough of them."""
    parts = (asked.dataset.train, asked.dataset.test)
    for k in classes:
        if sum(int((part.labels == k).sum()) for part in parts) >= FEWEST:
            yield try_orders(asked.about_class(k))


def read_as_another(figures: OrderFigures) -> bool:
    """Tell whether hardly an image of a class is read as it, and many as one other."""
    ((k, (output, share)),) = figures.said.items()
    return output != k and share >= WELL and hardly_read(figures.taken)


def strangers(dataset: DataSet, figures: OrderFigures) -> tuple[str, ...]:
    """Say it where many images of one class are read as another one."""
    for k, (output, share) in figures.else_said.items():
        if share >= STRANGERS or figures.taken <= UNSURE:
            name = dataset.class_names[k]
            return (
                f"of {figures.count} images of {name!r} the model reads {figures.taken:.1f} % as that class and "
                f"{share:.1f} % as {dataset.class_names[output]!r}: are they all of {name!r}, and prepared as in the "
                "model's training?",
            )
    return ()
