"""Stage 2: the input directions that the remaining classes use, which no step may touch (paper section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zspag_core.devices import device_of, exact, laid_out
from zspag_core.errors import UnlearningError
from zspag_core.layers import WeightLayer, as_matrices, groups_of, input_dim, watching, weight_layers
from zspag_core.moments import SecondMoment
from zspag_core.progress import SILENT, Reporter
from zspag_core.subspace_plan import plan_subspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.models import Classifier
    from zspag_core.proxies import ProxySet

MODES = ("estimated", "random", "none")
POOLINGS = ("auto", "per_class", "pooled")
PER_CLASS_LIMIT = 20  # with more classes than this, "auto" pools: one decomposition a layer instead of one a class


@dataclass(frozen=True)
class LayerBasis:
    """The protected directions of one layer.

    Attributes:
        basis: (groups, dim, r) float32, orthonormal columns, zero columns where a group has fewer than r.
        ranks: protected directions of each group.
        free: (1, dim, dim - r) float32, all other directions, where they are known and fewer: then a projection onto
            them is the shorter way.
    """

    basis: Tensor
    ranks: tuple[int, ...]
    free: Tensor | None = None

    @property
    def dim(self) -> int:
        """Return the number of input dimensions, all groups together."""
        return self.basis.shape[0] * self.basis.shape[1]

    @property
    def rank(self) -> int:
        """Return the number of protected directions, all groups together."""
        return sum(self.ranks)

    @property
    def full(self) -> bool:
        """Tell whether nothing can move here."""
        return self.rank == self.dim

    def project(self, matrices: Tensor) -> Tensor:
        """Return (groups, outputs, dim) without the protected part of its rows: G - (G S) Sᵀ."""
        if self.free is not None:
            return (matrices @ self.free) @ self.free.transpose(1, 2)
        return matrices - (matrices @ self.basis) @ self.basis.transpose(1, 2)


@dataclass(frozen=True)
class Subspace:
    """What is protected in every layer.

    Attributes:
        layers: name -> basis; layers that share their input share the basis.
        unprotected: remaining classes without any proxy, of which only the head's weight row is protected.
        pooling: "per_class" or "pooled".
    """

    layers: dict[str, LayerBasis]
    unprotected: tuple[int, ...] = ()
    pooling: str = ""

    def project_gradients(self, layers: dict[str, WeightLayer]) -> None:
        """Take the protected part out of every layer's weight gradient, in place."""
        for name, layer in layers.items():
            gradient = layer.weight.grad
            if gradient is not None:
                projected = self.layers[name].project(as_matrices(gradient, layer))
                gradient.copy_(projected.reshape(gradient.shape))


def estimate_subspace(
    model: Classifier,
    proxies: ProxySet,
    remaining: Sequence[int],
    *,
    energy: float,
    tolerance: float,
    pooling: str = "auto",
    batch_size: int = 100,
    room: int = 0,
    report: Reporter = SILENT,
) -> Subspace:
    """Find the directions of every layer's input that proxies of the remaining classes use.

    Per class, the leading directions that hold `energy` of the squared length of the class's inputs; together, the
    eigenvectors of the sum of the classes' projectors whose eigenvalue exceeds `tolerance` (the squared singular values
    of the concatenated bases). Pooled, the leading directions of the mean of the classes' moments, each scaled to the
    same energy: one decomposition a layer, whatever the number of classes.

    Args:
        model: the original model, in eval mode.
        proxies: stand-ins for the remaining data.
        remaining: classes that are not forgotten.
        energy: share in (0, 1] to keep.
        tolerance: eigenvalues up to this are dropped; 0 keeps all that exceed rounding.
        pooling: "per_class", "pooled" or "auto" (by the number of classes).
        batch_size: images per forward pass at most; fewer of large ones.
        room: bytes that second moments may take; where those of all layers are more, layers are taken in groups, with
            the same outcome. 0 leaves it to :func:`zspag_core.subspace_plan.plan_subspace`.
        report: receives how many classes are done, and what it will take where that is much.

    Raises:
        UnlearningError: there are no proxies.

    Source: Chen et al., ZS-PAG, equations 3 and 4; Saha et al., 2021.
    """
    if not len(proxies):
        raise UnlearningError("no proxies: no forget sample crossed into a remaining class; try a larger epsilon")
    if pooling == "auto":
        pooling = "per_class" if len(remaining) <= PER_CLASS_LIMIT else "pooled"
    layers = weight_layers(model)
    classes = [k for k in remaining if bool((proxies.labels == k).any())]
    missing = tuple(k for k in remaining if k not in classes)
    count = 1 if pooling == "pooled" else len(classes) + 1
    plan = plan_subspace(model, layers, proxies.images, count, batch_size, room)
    for sentence in plan.sentences():
        report.note(sentence)
    bases: dict[str, LayerBasis] = {}
    for place, part in enumerate(plan.parts):
        gathered = _Gathered(part, pooling, energy)
        for done, k in enumerate(classes, start=1 + place * len(classes)):
            gathered.add_class(class_moments(model, part, proxies.images[proxies.labels == k], plan.batch))
            report.progress("subspace", done, len(classes) * len(plan.parts))
        if (head := _name_of(model.head, part)) is not None:
            gathered.protect_rows(model.head.weight.detach()[list(missing)].flatten(1), head)
        bases |= gathered.bases(tolerance)
    return Subspace({name: bases[name] for name in layers}, missing, pooling)


def random_subspace(like: Subspace, generator: torch.Generator) -> Subspace:
    """Return random directions, as many in every layer as another subspace has (the paper's Table 5)."""
    layers = {}
    for name, layer in like.layers.items():
        noise = torch.randn(layer.basis.shape, generator=generator, dtype=torch.float64)
        directions = torch.linalg.qr(noise).Q.to(layer.basis)
        kept = torch.arange(layer.basis.shape[2], device=layer.basis.device) < torch.tensor(layer.ranks)[:, None].to(
            layer.basis.device
        )
        layers[name] = LayerBasis(directions * kept[:, None, :], layer.ranks)
    return Subspace(layers, like.unprotected, like.pooling)


def empty_subspace(model: nn.Module) -> Subspace:
    """Return a subspace that protects nothing, for ablations: the same layers move, unprojected."""
    layers = {}
    for name, layer in weight_layers(model).items():
        groups, dim = groups_of(layer), input_dim(layer)
        layers[name] = LayerBasis(layer.weight.new_zeros(groups, dim, 0), (0,) * groups)
    return Subspace(layers)


@torch.inference_mode()
def class_moments(
    model: nn.Module, layers: dict[str, WeightLayer], images: Tensor, batch_size: int = 100
) -> dict[str, SecondMoment]:
    """Return the second moment of what enters every layer; layers that share their input share the object.

    Args:
        model: in eval mode.
        layers: which layers, by name.
        images: (N, C, H, W) float in [0, 1].
        batch_size: images per forward pass; memory does not depend on N.
    """
    device = device_of(model)
    moments: dict[str, SecondMoment] = {}

    def see(names: list[str], rows: Tensor) -> None:
        if names[0] not in moments:
            moment = SecondMoment(rows.shape[0], rows.shape[2], rows.device)
            moments.update(dict.fromkeys(names, moment))
        moments[names[0]].add(rows)

    for batch in images.split(batch_size):
        with watching(layers, see):
            model(laid_out(batch.to(device).float()))
    return moments


class _Gathered:
    """The classes' moments put together, one class at a time."""

    def __init__(self, layers: dict[str, WeightLayer], pooling: str, energy: float) -> None:
        self.layers, self.pooled, self.energy = layers, pooling == "pooled", energy
        self.together: dict[str, SecondMoment] = {}
        self.kept: dict[str, list[SecondMoment]] = {}

    def add_class(self, moments: dict[str, SecondMoment]) -> None:
        """Take one class: its leading directions, or its moment scaled to unit energy."""
        fresh: dict[int, SecondMoment] = {}
        for name, moment in moments.items():
            if id(moment) not in fresh:
                fresh[id(moment)] = self._merge(self.together.get(name), moment)
            self.together[name] = fresh[id(moment)]

    def _merge(self, before: SecondMoment | None, moment: SecondMoment) -> SecondMoment:
        groups = len(moment.energy)
        together = before or SecondMoment(groups, moment.dim, moment.energy.device)
        if self.pooled:
            together.merge(moment, 1 / max(float(moment.energy.sum()), 1e-300))
        else:
            together.add(moment.leading(self._ranks)[0].transpose(1, 2))
        return together

    def _ranks(self, values: Tensor) -> Tensor:
        """Return how many leading eigenvalues (groups, m) hold the share `energy` of their sum, (groups,)."""
        total = values.sum(1, keepdim=True)
        short = values.cumsum(1) < self.energy * total * (1 - 1e-12)
        return (short.sum(1) + 1).clamp_max(values.shape[1]) * (total.squeeze(1) > 0)

    def protect_rows(self, rows: Tensor, name: str) -> None:
        """Protect further directions (n, dim) of one layer."""
        if len(rows):
            directions = nn.functional.normalize(exact(rows), dim=1)
            self.together[name].add(directions[None])

    def bases(self, tolerance: float) -> dict[str, LayerBasis]:
        """Decompose what was gathered; layers that share their input are decomposed once."""
        done: dict[int, LayerBasis] = {}
        device = next(iter(self.layers.values())).weight.device
        for moment in self.together.values():
            if id(moment) not in done:
                count = self._ranks if self.pooled else partial(_above, tolerance=tolerance)
                vectors, others, counts = moment.split(count)
                fewer = others is not None and others.shape[2] < vectors.shape[2]
                free = others.float().to(device) if others is not None and fewer else None
                done[id(moment)] = LayerBasis(vectors.float().to(device), tuple(counts.tolist()), free)
        return {name: done[id(self.together[name])] for name in self.layers}


def _above(values: Tensor, tolerance: float) -> Tensor:
    """Return how many eigenvalues (groups, m) exceed the tolerance, or rounding if that is larger, (groups,)."""
    rounding = values.shape[1] * torch.finfo(values.dtype).eps * values[:, :1]  # the largest comes first
    return (values > rounding.clamp_min(tolerance)).sum(1)


def _name_of(module: nn.Module, layers: dict[str, WeightLayer]) -> str | None:
    """Return the name of a layer, None where it is not among those that move."""
    return next((name for name, layer in layers.items() if layer is module), None)
