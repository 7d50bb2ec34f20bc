"""Points of several classes in the unit square, drawn from a seed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from zspag_core.data.dataset import DataSet, LoadedSplit
from zspag_core.plane.question import LETTERS, LEVELS, OWN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from zspag_core.plane.question import Point

    Drawn = Callable[[int, int, torch.Generator], Tensor]

PER_CLASS = 100


def _blobs(k: int, classes: int, generator: torch.Generator) -> Tensor:
    """One round heap a class, on a circle; the last of six in its middle."""
    around = classes if classes < 6 else classes - 1
    angle = 2 * math.pi * k / around + 0.5
    middle = torch.tensor([math.cos(angle), math.sin(angle)]) * (0.0 if k >= around else 0.31)
    return 0.5 + middle + 0.062 * torch.randn(PER_CLASS, 2, generator=generator)


def _rings(k: int, classes: int, generator: torch.Generator) -> Tensor:
    """One ring round the other."""
    radius = 0.46 * (k + 0.6) / classes + 0.012 * torch.randn(PER_CLASS, generator=generator)
    return _polar(radius, 2 * math.pi * torch.rand(PER_CLASS, generator=generator))


def _spirals(k: int, classes: int, generator: torch.Generator) -> Tensor:
    """One arm a class, half a turn long."""
    along = 0.12 + 0.88 * torch.rand(PER_CLASS, generator=generator)
    angle = 2 * math.pi * k / classes + 1.25 * math.pi * along + 0.06 * torch.randn(PER_CLASS, generator=generator)
    return _polar(0.46 * along, angle)


def _moons(k: int, classes: int, generator: torch.Generator) -> Tensor:
    """Arcs beside each other, open by turns to the top and to the bottom."""
    angle = math.pi * torch.rand(PER_CLASS, generator=generator)
    up, step = k % 2 == 0, 0.62 / max(1, classes - 1)
    x = 0.19 + step * k + min(0.15, 0.8 * step) * angle.cos()
    y = 0.44 + 0.3 * angle.sin() if up else 0.56 - 0.3 * angle.sin()
    return torch.stack([x, y], 1) + 0.016 * torch.randn(PER_CLASS, 2, generator=generator)


def _grid(k: int, classes: int, generator: torch.Generator) -> Tensor:
    """Cells of a board of four by three, each class in several places that do not touch."""
    cells = [(row, column) for row in range(3) for column in range(4) if (column + 2 * row) % classes == k]
    place = torch.tensor(cells)[torch.arange(PER_CLASS) % len(cells)].float()
    within = 0.12 + 0.76 * torch.rand(PER_CLASS, 2, generator=generator)
    return (place.flip(1) + within) / torch.tensor([4.0, 3.0])


def _wedges(k: int, classes: int, generator: torch.Generator) -> Tensor:
    """Slices of a cake."""
    angle = 2 * math.pi * (k + 0.08 + 0.84 * torch.rand(PER_CLASS, generator=generator)) / classes
    return _polar(0.05 + 0.41 * torch.rand(PER_CLASS, generator=generator).sqrt(), angle)


def _polar(radius: Tensor, angle: Tensor) -> Tensor:
    """Return points round the middle of the square."""
    return 0.5 + radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1)


DRAWN: dict[str, Drawn] = {
    "rings": _rings,
    "blobs": _blobs,
    "wedges": _wedges,
    "moons": _moons,
    "spirals": _spirals,
    "grid": _grid,
}
"""Shape -> what draws one class of it; the shapes themselves are named in :mod:`zspag_core.plane.question`."""


def as_split(places: Tensor, labels: Sequence[int]) -> LoadedSplit:
    """Return points (N, 2) in [0, 1] as images (N, 1, 1, 2) of bytes: the plane has 256 places a side."""
    pixels = (places * LEVELS).round().clamp(0, LEVELS).to(torch.uint8)
    return LoadedSplit(pixels.reshape(-1, 1, 1, 2), torch.tensor(labels, dtype=torch.int64))


def draw_points(shape: str, classes: int, own: Sequence[Point], seed: int) -> DataSet:
    """Return a shape's points, as many for training as for grading, and the visitor's own, which are in both.

    Args:
        shape: a key of DRAWN, or OWN for none.
        classes: number of classes.
        own: the visitor's points.
        seed: of the shape's points.
    """
    generator = torch.Generator().manual_seed(seed)
    added = as_split(torch.tensor([point[:2] for point in own]).view(-1, 2) / LEVELS, [point[2] for point in own])
    train, test = (_drawn(shape, classes, added, generator) for _ in range(2))
    return DataSet(shape, tuple(LETTERS[:classes]), train, test)


def _drawn(shape: str, classes: int, added: LoadedSplit, generator: torch.Generator) -> LoadedSplit:
    if shape == OWN:
        return added
    places = torch.cat([DRAWN[shape](k, classes, generator) for k in range(classes)])
    drawn = as_split(places, torch.arange(classes).repeat_interleave(PER_CLASS).tolist())
    return LoadedSplit(torch.cat([drawn.images, added.images]), torch.cat([drawn.labels, added.labels]))
