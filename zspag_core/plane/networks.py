"""Networks of the plane, trained when they are first asked for: on all points, or on those of the remaining classes."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from zspag_core.devices import chance
from zspag_core.errors import UsageError
from zspag_core.plane.network import PlaneConfig, PlaneNetwork
from zspag_core.plane.question import LETTERS, OWN
from zspag_core.plane.shapes import draw_points
from zspag_core.recipes import Recipe
from zspag_core.training.loop import train

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.data.dataset import DataSet
    from zspag_core.plane.question import Point

RECIPE = Recipe(
    epochs=70, batch_size=100, optimizer="adamw", learning_rate=0.015, weight_decay=0.01, crop=0, flip=False
)
ADDED, COUNTED = replace(RECIPE, epochs=20, learning_rate=0.02), 10
"""How a shape's network goes on when a visitor has added points, and as how many each of these counts.

Over three shapes and five handfuls of points, 93 % of the added ones were learnt and 99.4 % of the others still read;
counted once, 60 %.
"""
KEPT = 24
CPU = torch.device("cpu")


@lru_cache(KEPT)
def points_of(shape: str, classes: int, own: tuple[Point, ...], seed: int) -> DataSet:
    """Return the points that a question is about; see :func:`zspag_core.plane.shapes.draw_points`."""
    return draw_points(shape, classes, own, seed)


@lru_cache(KEPT)
def network_of(
    shape: str, classes: int, own: tuple[Point, ...], seed: int, without: tuple[int, ...] = ()
) -> PlaneNetwork:
    """Return the network that was trained on points; the same question is always answered by the same network.

    Args:
        shape: a shape or OWN.
        classes: number of classes.
        own: the visitor's points; a shape's network goes on with them.
        seed: of points, weights and order.
        without: classes that it never sees.

    Raises:
        UsageError: there is nothing to tell apart.
    """
    split = points_of(shape, classes, own, seed).train.without_classes(without)
    seen = split.labels.unique().tolist()
    if len(seen) + len(without) < 2 or not seen:
        raise UsageError("The plane needs points of at least two classes: choose a class and click some in.")
    start, recipe = _fresh(classes, seed), RECIPE
    if own and shape != OWN:
        start, recipe = network_of(shape, classes, (), seed, without), ADDED
        split = split[_counting(len(split), sum(k not in without for _, _, k in own))]
    model = train(start.config, split, replace(recipe, seed=seed), device=CPU, start=start).model
    model.zero_grad(set_to_none=True)
    assert isinstance(model, PlaneNetwork)  # noqa: S101 - a copy of what it started from
    return model


def named(classes: tuple[int, ...]) -> str:
    """Return the letters of some classes."""
    return ", ".join(LETTERS[k] for k in classes)


def _counting(count: int, added: int) -> Tensor:
    """Return the places of `count` points, those of the last `added` COUNTED times."""
    places = torch.arange(count)
    return torch.cat([places[: count - added], places[count - added :].repeat(COUNTED)])


def _fresh(classes: int, seed: int) -> PlaneNetwork:
    with chance(seed, CPU):
        return PlaneNetwork(PlaneConfig(num_classes=classes))
