"""The order in which a model's outputs are numbered decides which class is destroyed: other orders are tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zspag_core.data.classes import in_order
from zspag_core.data.reading import ORDERS
from zspag_core.errors import UsageError
from zspag_core.input_checks.altered_images import reads_better
from zspag_core.input_checks.matching import best_matching, clearly_better

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.input_checks.sample import AskedSample

KEPT = "given"
"""The order of the classes that the data have, kept whatever the model reads in them."""


@dataclass(frozen=True)
class OrderFigures:
    """How well the order of the classes that was taken agrees with what the model reads.

    Attributes:
        taken: percent of a sample read as the classes are numbered.
        best: percent under the best one-to-one matching of outputs to classes.
        other: name of another order of folder names that reads clearly better, if there is one.
        other_accuracy: percent under that.
        count: images in the sample.
        matching: class -> output of the best matching.
        said: class -> the output that most of its images are read as, and the percent of them.
        else_said: class -> the same of the outputs that are not its own; it lacks classes that are all read rightly.
    """

    taken: float
    best: float
    other: str | None
    other_accuracy: float
    count: int
    matching: Mapping[int, int]
    said: Mapping[int, tuple[int, float]] = field(default_factory=dict)
    else_said: Mapping[int, tuple[int, float]] = field(default_factory=dict)

    @property
    def better_order(self) -> str | None:
        """Return the other order of folder names, where it reads clearly better."""
        return self.other if clearly_better(self.other_accuracy, self.taken, self.count) else None

    @property
    def contradicted(self) -> bool:
        """Tell whether the model's answers contradict the numbering: another order or matching is clearly better."""
        return clearly_better(max(self.best, self.other_accuracy), self.taken, self.count)

    def doubt(self) -> tuple[str, ...]:
        """Say so where the best matching reads clearly more than the numbering that was taken."""
        if not clearly_better(self.best, self.taken, self.count):
            return ()
        return (
            f"in the order of the classes that was chosen the model reads {self.taken:.1f} % of {self.count} labelled "
            f"images, matched otherwise {self.best:.1f} %",
        )


def try_orders(asked: AskedSample) -> OrderFigures:
    """Compare the numbering of the classes with what the model reads in labelled images."""
    dataset, predicted, labels = asked.dataset, asked.predicted, asked.labels
    best, matching = best_matching(predicted, labels)
    best = max(best, asked.taken)  # the matching is counted on images that it was not chosen on: it may come out lower
    other, accuracy = None, asked.taken
    for order in ORDERS:
        ordered, _ = in_order(dataset.name, dataset.class_names, order)
        places = torch.tensor([ordered.index(name) for name in dataset.class_names])
        read = 100 * float((predicted == places[labels]).double().mean())
        if read > accuracy:
            other, accuracy = order, read
    said, else_said = _said(predicted, labels)
    return OrderFigures(asked.taken, best, other, accuracy, len(asked), matching, said, else_said)


def _said(predicted: Tensor, labels: Tensor) -> tuple[dict[int, tuple[int, float]], dict[int, tuple[int, float]]]:
    """Return class -> the output that most of its images are read as, and the percent; then that of other outputs."""
    said: dict[int, tuple[int, float]] = {}
    else_said: dict[int, tuple[int, float]] = {}
    for k in labels.unique().tolist():
        read = predicted[labels == k]
        for found, some in ((said, read), (else_said, read[read != k])):
            if len(some):
                most = int(some.mode().values)
                found[k] = (most, 100 * float((read == most).double().mean()))
    return said, else_said


def check_order(asked: AskedSample, chosen: str | None, assumed: str = "", *, named: bool = False) -> OrderFigures:
    """Refuse a numbering of classes that the model's outputs contradict, unless a person keeps it as it is.

    Args:
        asked: the model about images that are numbered as the run takes them.
        chosen: the order that a person chose; with :data:`KEPT` nothing is refused.
        assumed: what is assumed of how the images are prepared, in words: another reason for odd answers.
        named: whether the classes were matched to the model's outputs by name: then no order of folders helps.

    Raises:
        UsageError: it says both figures and how to choose.
    """
    figures, names = try_orders(asked), asked.dataset.class_names
    if chosen == KEPT or not figures.contradicted:
        return figures
    if len(figures.said) == 1:  # images of one class tell nothing of an order
        raise UsageError(one_class_words(asked, figures, assumed, named=named))
    how = f"in {chosen.replace('_', ' ')} order" if chosen else "as numbered"
    start = f"the order of the classes looks wrong: {how} the model reads {figures.taken:.1f} %"
    stay = "or --order given to keep it as it is"
    if (order := figures.better_order) and not named and not chosen:
        raise UsageError(
            f"{start} of {figures.count} labelled images, in {order.replace('_', ' ')} order "
            f"{figures.other_accuracy:.1f} %; choose with --order {order}, {stay}"
        )
    k = next((k for k, output in figures.matching.items() if k != output), 0)
    raise UsageError(
        f"{start} of {figures.count} labelled images, matched otherwise {figures.best:.1f} % (class "
        f"{names[k]!r}, number {k}, is read as output {figures.matching[k]}); {_put_right(named=named)}, "
        f"{stay}"
    )


def _put_right(*, named: bool) -> str:
    """Say how the order of the classes is put right."""
    if named:
        return "put the names in the order of the outputs, in the --classes FILE, one a line"
    return "name the outputs in their order with --classes FILE, one name a line"


def one_class_words(asked: AskedSample, figures: OrderFigures, assumed: str, *, named: bool) -> str:
    """Say that images of one class are read as another; with no other class to compare, that has two usual reasons."""
    ((k, (output, share)),) = figures.said.items()
    names, better = asked.dataset.class_names, reads_better(asked)
    altered = f"; with {better.words} it reads {better.accuracy:.1f} % as that class" if better else ""
    prepared = f" ({assumed} was assumed: state --image-size, --mean and --std)" if assumed else ""
    return (
        f"the order of the classes looks wrong, or how the images are prepared{prepared}: of {figures.count} images of "
        f"{names[k]!r} the model reads {figures.taken:.1f} % as that class, its output {k}, and {share:.1f} % as "
        f"output {output}, {names[output]!r}{altered}; first compare side, mean, std, grey or colour, and red before "
        "blue with the network's training, for wrongly prepared images are often all read as one class; where all that "
        f"is right, the model may have forgotten that class already, or {_put_right(named=named)}; --order given keeps "
        "both as they are"
    )
