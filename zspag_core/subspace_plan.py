"""What stage 2 will take, memory and time, before it begins; and how it is cut where that is too much at once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from zspag_core.batching import budget, images_at_once
from zspag_core.devices import device_of, exact_device
from zspag_core.layers import WeightLayer, watching

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

ROOM = 1024**3
"""Bytes that moments may take on a CPU: three more passes of a ResNet-50 of 224 pixels cost less than 2 GB more."""
LARGE_BYTES, LONG_SECONDS = 1024**3, 60.0
TRIAL_SIDE = 384
FLOAT64 = 8
TRIVIAL = 1e10  # operations of all decompositions together that take no second: nothing is measured for them
DECOMPOSITION = 10  # of n x n, in units of n³ operations, where the speed is that of a trial


@dataclass(frozen=True)
class Input:
    """What enters one or, where they share it, several layers.

    Attributes:
        layers: their names.
        groups: of a convolution; 1 otherwise.
        rows: inputs of one image: places of a convolution, tokens.
        dim: length of one.
    """

    layers: tuple[str, ...]
    groups: int
    rows: int
    dim: int

    @property
    def moment_bytes(self) -> int:
        """Return what its second moment takes, at most."""
        return FLOAT64 * self.groups * self.dim**2

    @property
    def row_bytes(self) -> int:
        """Return what the inputs of one image take in float32, laid out as rows, with the copy that makes them so."""
        return 2 * 4 * self.groups * self.rows * self.dim


@dataclass(frozen=True)
class SubspacePlan:
    """How the stage goes.

    Attributes:
        parts: groups of layers, by name; the images go through the network once for each.
        batch: images that go through together.
        bytes: what moments take, both copies (of one class and of all), with all layers at once.
        seconds: roughly what products and decompositions take here; 0 where nobody would notice.
    """

    parts: tuple[dict[str, WeightLayer], ...]
    batch: int
    bytes: int
    seconds: float

    def sentences(self) -> list[str]:
        """Return what a person should know before, nothing for a small network."""
        said = []
        if self.bytes > LARGE_BYTES:
            cut = f"; the layers are taken in {len(self.parts)} groups, one after the other"
            held = f"second moments of all layers' inputs take {self.bytes / 1e9:.1f} GB"
            said.append(held + (cut if len(self.parts) > 1 else ""))
        if self.seconds > LONG_SECONDS:
            minutes = max(1, round(self.seconds / 60))
            words = "a minute" if minutes == 1 else f"{minutes} minutes"
            said.append(f"finding the protected directions will take about {words} here")
        return said


def plan_subspace(
    model: nn.Module, layers: dict[str, WeightLayer], images: Tensor, decompositions: int, most: int, room: int = 0
) -> SubspacePlan:
    """Return how to estimate a subspace within the memory at hand; the outcome does not depend on it.

    Args:
        model: in eval mode.
        layers: whose inputs are gathered.
        images: (N, C, H, W) float in [0, 1], one at least.
        decompositions: how many a layer takes.
        most: images at once at most.
        room: bytes that moments may take; 1 GiB, or what a batch gets on a GPU if that is more, when 0.
    """
    inputs = look(model, layers, images[:1])
    device = device_of(model)
    parts = _cut(inputs, layers, room or max(ROOM, budget(device) if device.type == "cuda" else 0))
    widest = max((one.row_bytes for one in inputs), default=1)
    batch = max(1, min(images_at_once(model, images, most), budget(device) // widest))
    taken = sum(2 * one.moment_bytes for one in inputs)
    return SubspacePlan(parts, batch, taken, _seconds(inputs, len(images), decompositions, device))


@torch.inference_mode()
def look(model: nn.Module, layers: dict[str, WeightLayer], image: Tensor) -> list[Input]:
    """Return what enters the layers, in the order in which one image (1, C, H, W) reaches them."""
    seen: dict[str, Input] = {}

    def see(names: list[str], rows: Tensor) -> None:
        groups, count, dim = rows.shape
        before = seen.get(names[0])
        layers_together = before.layers if before else tuple(names)
        seen[names[0]] = Input(layers_together, groups, count + (before.rows if before else 0), dim)

    with watching(layers, see):
        model(image.to(device_of(model)).float())
    return list(seen.values())


def _cut(inputs: list[Input], layers: dict[str, WeightLayer], room: int) -> tuple[dict[str, WeightLayer], ...]:
    """Return groups of layers whose moments, both copies, fit the room, or are a single input's."""
    groups: list[list[Input]] = [[]]
    for one in inputs:
        if groups[-1] and sum(2 * part.moment_bytes for part in (*groups[-1], one)) > room:
            groups.append([])
        groups[-1].append(one)
    return tuple({name: layers[name] for part in group for name in part.layers} for group in groups)


def _seconds(inputs: list[Input], images: int, decompositions: int, device: torch.device) -> float:
    """Return roughly how long products of rows and decompositions take, by the speed of a small trial."""
    share = images / max(1, decompositions)  # images that one decomposition is of
    sides = [min(one.dim, one.rows * share) for one in inputs]  # fewer rows than dimensions: the rows' own products
    products = sum(2.0 * one.groups * one.rows * one.dim * s for one, s in zip(inputs, sides, strict=True)) * images
    cubes = sum(float(one.groups) * s**3 for one, s in zip(inputs, sides, strict=True)) * decompositions
    if products + DECOMPOSITION * cubes < TRIVIAL:
        return 0.0
    square = torch.eye(TRIAL_SIDE, device=device) + 0.01
    wide = square.to(exact_device(device)).double()
    product = _time(lambda: square @ square) / (2.0 * TRIAL_SIDE**3)
    return products * product + cubes * _time(lambda: torch.linalg.eigh(wide)) / TRIAL_SIDE**3


def _time(work: Callable[[], object]) -> float:
    """Return the seconds that something takes, the better of two."""
    taken = []
    for _ in range(2):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)
