"""Which images the depth of forgetting is measured on: the same for every model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from zspag_core.data.images import concat
from zspag_core.metrics.deep import balanced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from zspag_core.data.dataset import DataSet
    from zspag_core.data.images import Pictures


@dataclass(frozen=True)
class Extent:
    """How much is looked at.

    Attributes:
        train: training images of all classes, equally many a class, at most.
        forget_train: training images of forgotten classes, at most.
        forget_test: test images of forgotten classes, at most.
        rest_test: test images of remaining classes, equally many a class, at most.
    """

    train: int
    forget_train: int
    forget_test: int
    rest_test: int


QUICK = Extent(train=1000, forget_train=200, forget_test=250, rest_test=150)
WHOLE = Extent(train=3000, forget_train=1000, forget_test=1000, rest_test=1000)


@dataclass(frozen=True)
class Sample:
    """Training images, then test images, and what each is for.

    Attributes:
        images: (N, C, H, W) uint8.
        labels: (N,) int64.
        learnt: number of training images, which come first.
        even: (learnt,) bool, those that probes of all classes learn from: equally many a class.
        forget: the forgotten classes.
        places: (N,) int64, where each stands in the data set, its test images counted on after the training images.
    """

    images: Pictures
    labels: Tensor
    learnt: int
    even: Tensor
    forget: tuple[int, ...]
    places: Tensor

    @property
    def train(self) -> slice:
        """Where the training images are."""
        return slice(self.learnt)

    @property
    def test(self) -> slice:
        """Where the test images are."""
        return slice(self.learnt, None)

    @property
    def forgotten(self) -> Tensor:
        """Which images, (N,) bool, are of forgotten classes."""
        return torch.isin(self.labels, torch.tensor(self.forget, dtype=self.labels.dtype))

    def counts(self) -> dict[str, int]:
        """Return how many images of every kind there are, as plain values."""
        gone = self.forgotten
        parts = {"train": self.train, "test": self.test}
        return {
            f"{kind}_{part}": int(marks[place].sum())
            for part, place in parts.items()
            for kind, marks in (("forget", gone), ("rest", ~gone))
        }


def draw(dataset: DataSet, forget: Sequence[int], extent: Extent, seed: int) -> Sample:
    """Draw the images; the same seed draws the same, whatever is asked of them.

    Args:
        dataset: real images, for grading only.
        forget: the forgotten classes.
        extent: how many at most.
        seed: of the draw.
    """
    train, test = dataset.train, dataset.test
    learnt, even, asked = places(dataset, forget, extent, seed)
    chosen = train[learnt], test[asked]
    return Sample(
        concat(*(part.images for part in chosen)),
        torch.cat([part.labels for part in chosen]),
        len(learnt),
        even,
        tuple(forget),
        torch.cat([learnt, len(train) + asked]),
    )


def places(dataset: DataSet, forget: Sequence[int], extent: Extent, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return which images :func:`draw` draws.

    The training images are the first of each kind in the order that :func:`zspag_core.metrics.grade.grade` draws by, so
    whoever is graded with the same seed has looked at them.

    Returns:
        Positions of training images; (as many,) bool, the `even` ones; positions of test images.
    """
    generator = torch.Generator().manual_seed(seed)
    train, test = dataset.train, dataset.test
    orders = [torch.randperm(len(part), generator=generator) for part in (train, test)]
    labels = [part.labels[order] for part, order in zip((train, test), orders, strict=True)]
    gone = [torch.isin(one, torch.tensor(list(forget), dtype=one.dtype)) for one in labels]
    even = balanced(labels[0], extent.train)
    learnt = torch.unique(torch.cat([even, torch.nonzero(gone[0]).flatten()[: extent.forget_train]]))
    rest = torch.nonzero(~gone[1]).flatten()
    asked = torch.cat(
        [torch.nonzero(gone[1]).flatten()[: extent.forget_test], rest[balanced(labels[1][rest], extent.rest_test)]]
    )
    return orders[0][learnt], torch.isin(learnt, even), orders[1][asked]
