"""What can be seen of a network in the plane: its regions, its protected directions, what is left of its gradient."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch.func import functional_call
from torch.nn import functional as F

from zspag_core.data.dataset import to_pixels
from zspag_core.layers import as_matrices, watching, weight_layers
from zspag_core.plane.packing import packed
from zspag_core.subspace import class_moments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier
    from zspag_core.proxies import ProxySet
    from zspag_core.subspace import Subspace

FINE, COARSE = 72, 48
"""Cells of the regions a side: of what is looked at long, and of what passes by when epochs are played."""
SURE_LEVELS = 8
THUMB, FELT = 18, 4
"""Cells a side of a direction's picture, and how many directions of a layer have one."""
LEADING = 6
"""Directions of a class that are told one by one."""


@cache
def cells(side: int) -> Tensor:
    """Return the middles of the plane's cells as points (side * side, 1, 1, 2), row by row from the top."""
    middle = (torch.arange(side) + 0.5) / side
    up, across = torch.meshgrid(middle.flip(0), middle, indexing="ij")
    return torch.stack([across, up], -1).reshape(-1, 1, 1, 2)


@dataclass(frozen=True)
class Answers:
    """A network's answers.

    Attributes:
        regions: (side * side,) uint8, row by row from the top: class + 8 * how sure (0 to 7).
        acc_rt: percent of the remaining test points that are read rightly; None without any.
        acc_ut: the same of the forgotten classes.
        side: cells a side.
    """

    regions: Tensor
    acc_rt: float | None
    acc_ut: float | None

    side: int

    def plain(self) -> dict[str, Any]:
        """Return it as plain values."""
        figures = {"acc_rt": self.acc_rt, "acc_ut": self.acc_ut}
        return {"side": self.side, "regions": packed(self.regions), **figures}


class Onlooker:
    """Looks at networks of the same classes, always at the same test points."""

    def __init__(self, test: Split, forget: Sequence[int]) -> None:
        """Answers with these test points; `forget` are the forgotten classes."""
        self.labels, self.places = test.labels, to_pixels(test.images)
        self.gone = torch.isin(test.labels, torch.tensor(list(forget)))

    @torch.inference_mode()
    def look(self, model: Classifier, side: int = FINE, masked: Sequence[int] = ()) -> Answers:
        """Return what a network answers in `side` times `side` cells; the logits of `masked` classes are off."""
        logits = model(torch.cat([cells(side), self.places]))
        logits[:, list(masked)] = -torch.inf
        sure, read = logits[: side * side].softmax(1).max(1)
        level = (sure * SURE_LEVELS).clamp_max(SURE_LEVELS - 1).to(torch.uint8)
        right = logits[side * side :].argmax(1) == self.labels
        return Answers(read.to(torch.uint8) + 8 * level, _percent(right[~self.gone]), _percent(right[self.gone]), side)


def energies(model: Classifier, proxies: ProxySet, energy: float) -> dict[str, list[dict[str, Any]]]:
    """Return how the input energy of every class that has proxies is spread over its directions, layer by layer.

    Returns:
        Layer -> one record a class: {"class", "shares": of its leading directions, largest first, "kept": how many hold
        `energy` of it: those that :func:`zspag_core.subspace.estimate_subspace` takes}.
    """
    layers = weight_layers(model)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in layers}
    for k in proxies.labels.unique().tolist():
        for name, moment in class_moments(model, layers, proxies.images[proxies.labels == k]).items():
            values = torch.linalg.eigvalsh(moment.matrix()[0]).flip(0).clamp_min(0)
            shares = values / values.sum().clamp_min(1e-300)
            kept = int((shares.cumsum(0) < energy * (1 - 1e-9)).sum()) + 1
            found[name].append({"class": k, "shares": shares[:LEADING].tolist(), "kept": min(kept, len(shares))})
    return found


@torch.inference_mode()
def fields(model: Classifier, subspace: Subspace) -> dict[str, list[str]]:
    """Return how strongly every place of the plane feels the protected directions of every layer.

    Returns:
        Layer -> one packed picture, THUMB * THUMB bytes, for each of its first FELT directions: 128 where the layer's
        input has no part in the direction, 255 or 1 where it has the most of either sign.
    """
    found: dict[str, list[str]] = {}

    def see(names: list[str], rows: Tensor) -> None:
        for name in names:
            felt = rows[0] @ subspace.layers[name].basis[0][:, :FELT]  # (places, directions)
            most = felt.abs().amax(0).clamp_min(1e-12)
            found[name] = [packed(part) for part in (128 + 127 * felt / most).round().to(torch.uint8).T]

    with watching(weight_layers(model), see):
        model(cells(THUMB))
    return found


def gradient_parts(model: Classifier, forget: Split, labels: Tensor, subspace: Subspace) -> list[list[float]]:
    """Return, for every layer, the lengths of the gradient's kept and of its removed part.

    The gradient is that of the mean cross-entropy of all forget samples with their pseudo-labels, which the descent
    follows batch by batch.
    """
    layers = weight_layers(model)
    weights = {f"{name}.weight": layer.weight.detach().requires_grad_() for name, layer in layers.items()}
    with torch.enable_grad():
        loss = F.cross_entropy(functional_call(model, weights, (to_pixels(forget.images),)), labels)
        gradients = torch.autograd.grad(loss, list(weights.values()))
    parts = []
    for (name, layer), gradient in zip(layers.items(), gradients, strict=True):
        whole = as_matrices(gradient, layer)
        kept = subspace.layers[name].project(whole)
        parts.append([float(kept.norm()), float((whole - kept).norm())])
    return parts


def _percent(right: Tensor) -> float | None:
    return 100 * float(right.double().mean()) if len(right) else None
