"""Influence functions without ever forming a Hessian: Gauss-Newton products, conjugate gradients, one JVP a batch.

Training on (x, y) changes the loss on the proxies in proportion to -sᵀ ∇ℓ(x, y) with s = H⁻¹ ∇L(proxies). The gradient
of the cross-entropy is linear in a soft label y, so the numbers c_k = sᵀ ∇ℓ(x, k) of all classes say everything, and
one forward-mode derivative of log-softmax along s gives all of them at once.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp, vjp
from torch.nn import functional as F

from zspag_core.batching import budget, bytes_of_one, images_at_once
from zspag_core.data.dataset import to_pixels
from zspag_core.devices import exact, transformable_attention
from zspag_core.errors import UnlearningError
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from zspag_core.data.images import Pictures
    from zspag_core.subspace import Subspace

Weights = dict[str, Tensor]
HELD_BATCHES = 2  # so many full batches may leave behind what a backward pass needs


@dataclass(frozen=True)
class InverseDirection:
    """s = (H + damping I)⁻¹ g.

    Attributes:
        direction: name of a weight -> part of s, shaped like the weight.
        residual: ‖(H + damping I) s - g‖ / ‖g‖ when the iteration ended.
        damping: what was added to the curvature.
        steps: conjugate gradient steps.
    """

    direction: Weights
    residual: float
    damping: float
    steps: int


def inverse_direction(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    names: list[str],
    *,
    damping: float,
    steps: int,
    tolerance: float = 1e-3,
    report: Reporter = SILENT,
) -> InverseDirection:
    """Solve (H + damping * h I) s = ∇L by conjugate gradients, H the Gauss-Newton matrix of the mean cross-entropy.

    Args:
        model: in eval mode.
        images: (M, C, H, W) float in [0, 1], the proxies (one batch).
        labels: (M,) int64.
        names: the weights over which derivatives are taken.
        damping: share of h, the curvature along the gradient, that is added to H.
        steps: conjugate gradient steps at most.
        tolerance: relative residual at which to stop.
        report: receives progress after every step.

    Raises:
        UnlearningError: there are no proxies, or no weight may move.

    Source: Koh and Liang, 2017, section 3; Martens, 2010 (Gauss-Newton products).
    """
    if not len(images):
        raise UnlearningError("no proxies: no forget sample crossed into a remaining class; try a larger epsilon")
    if not names:
        raise UnlearningError("nothing can move: the protected subspace fills every layer; try a smaller energy")
    weights = {name: parameter.detach() for name, parameter in model.named_parameters() if name in set(names)}
    with transformable_attention():
        curvature = _GaussNewton(model, weights, images)
        gradient = curvature.loss_gradient(labels)
        length = _dot(gradient, gradient)
        added = damping * max(_dot(gradient, curvature(gradient)) / max(length, 1e-30), 1e-12)

        def product(v: Weights) -> Weights:
            return _sum(curvature(v), v, added)

        solution, residual, taken = _conjugate_gradients(product, gradient, steps, tolerance, report)
    return InverseDirection(solution, residual, added, taken)


@torch.no_grad()
def label_influences(
    model: nn.Module,
    direction: Weights,
    images: Pictures,
    *,
    batch_size: int | None = None,
    report: Reporter = SILENT,
) -> Tensor:
    """Return c (N, classes) float32: c_ik = sᵀ ∇ℓ(x_i, k), for all labels k at once.

    Args:
        model: in eval mode.
        direction: s, by name of the weight.
        images: (N, C, H, W) uint8.
        batch_size: images per forward-mode derivative; what suits the device when None.
        report: receives progress after every batch.
    """
    named = dict(model.named_parameters())
    weights = {name: named[name].detach() for name in direction}
    device = next(iter(weights.values())).device
    rows = []
    with transformable_attention():
        for batch in images.split(batch_size or images_at_once(model, images)):
            pixels = to_pixels(batch, device)

            def log_probabilities(moved: Weights, pixels: Tensor = pixels) -> Tensor:
                return F.log_softmax(functional_call(model, moved, (pixels,)), dim=1)

            rows.append(-_derivative_along(log_probabilities, weights, direction).cpu())
            report.progress("labels", min(sum(map(len, rows)), len(images)), len(images))
    return torch.cat(rows)


def project_direction(model: nn.Module, direction: Weights, subspace: Subspace) -> tuple[Weights, float]:
    """Return P s and ‖P s‖ / ‖s‖: how much of s the projected steps can follow."""
    from zspag_core.layers import as_matrices, weight_layers

    projected = dict(direction)
    for name, layer in weight_layers(model).items():
        key = f"{name}.weight"
        if key in direction:
            matrices = as_matrices(direction[key], layer)
            projected[key] = subspace.layers[name].project(matrices).reshape(direction[key].shape)
    share = (_dot(projected, projected) / max(_dot(direction, direction), 1e-30)) ** 0.5
    return projected, share


class _GaussNewton:
    """v -> Jᵀ (diag(p) - p pᵀ) J v / M for images that go through the network in batches.

    What the batches leave behind for their backward passes is held from one product to the next where there is room
    for it; else every product makes it anew.
    """

    def __init__(self, model: nn.Module, weights: Weights, images: Tensor) -> None:
        self.model, self.weights, self.count = model, weights, len(images)
        self.batches = images.split(images_at_once(model, images))
        fit = HELD_BATCHES * budget(images.device) >= len(images) * bytes_of_one(model, images)
        self.held = list(map(self._linearised, self.batches)) if fit else []

    def __call__(self, v: Weights) -> Weights:
        return _total(part(v) for part in self._parts())

    def loss_gradient(self, labels: Tensor) -> Weights:
        """Return the gradient of the mean cross-entropy."""
        shares = labels.split([len(batch) for batch in self.batches])
        return _total(part.loss_gradient(share) for part, share in zip(self._parts(), shares, strict=True))

    def _parts(self) -> Iterable[_Linearised]:
        """Return the batches' parts: those that are held, else each made anew in its turn."""
        return self.held or map(self._linearised, self.batches)

    def _linearised(self, batch: Tensor) -> _Linearised:
        return _Linearised(self.model, self.weights, batch, self.count)


class _Linearised:
    """One batch's part of the Gauss-Newton product; `count` is the number of all images."""

    def __init__(self, model: nn.Module, weights: Weights, images: Tensor, count: int) -> None:
        self.weights, self.count = weights, count
        self._logits_of: Callable[[Weights], Tensor] = lambda moved: functional_call(model, moved, (images,))
        pulled = vjp(self._logits_of, weights)
        self.logits: Tensor = pulled[0].detach()
        self._pull_back: Callable[[Tensor], tuple[Weights]] = pulled[1]
        self.probabilities = exact(self.logits).softmax(1)  # a proxy's is often 1 - 1e-9, which float32 cannot tell

    def __call__(self, v: Weights) -> Weights:
        change = exact(_derivative_along(self._logits_of, self.weights, v))
        weighted = self.probabilities * (change - (self.probabilities * change).sum(1, keepdim=True))
        return self._back(weighted / self.count)

    def loss_gradient(self, labels: Tensor) -> Weights:
        """Return this batch's part of the gradient of the mean cross-entropy."""
        wanted = F.one_hot(labels, self.logits.shape[1]).to(self.probabilities)
        return self._back((self.probabilities - wanted) / self.count)

    def _back(self, change: Tensor) -> Weights:
        pulled: Weights = self._pull_back(change.to(self.logits))[0]
        return {name: part.detach() for name, part in pulled.items()}


def _conjugate_gradients(
    product: Callable[[Weights], Weights], wanted: Weights, steps: int, tolerance: float, report: Reporter
) -> tuple[Weights, float, int]:
    """Solve product(x) = wanted from x = 0; return x, the relative residual and the steps taken.

    Where rounding makes the curvature along a step zero or negative it ends: from there on it would run away.
    """
    x = {name: torch.zeros_like(part) for name, part in wanted.items()}
    residual, search = wanted, wanted
    squared = first = _dot(wanted, wanted)
    taken = 0
    while taken < steps and squared > tolerance**2 * first and squared > 0:
        curved = product(search)
        bend = _dot(search, curved)
        if bend <= 0:
            break
        length = squared / bend
        x, residual = _sum(x, search, length), _sum(residual, curved, -length)
        squared, before = _dot(residual, residual), squared
        search = _sum(residual, search, squared / before)
        taken += 1
        report.progress("labels", taken, steps, residual=(squared / first) ** 0.5)
    return x, (squared / first) ** 0.5 if first else 0.0, taken


def _derivative_along(function: Callable[[Weights], Tensor], weights: Weights, direction: Weights) -> Tensor:
    """Return the forward-mode derivative; the first one in a process makes torch warn of its own use of torch.jit.

    Where an operation has none, twice the reverse mode stands in.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.script")
        try:
            derivative: Tensor = jvp(function, (weights,), (direction,))[1]
        except (NotImplementedError, RuntimeError):
            derivative = reverse_derivative_along(function, weights, direction)
    return derivative.detach()


@torch.enable_grad()
def reverse_derivative_along(function: Callable[[Weights], Tensor], weights: Weights, direction: Weights) -> Tensor:
    """Return the derivative J v of a function along v by the reverse mode alone.

    The product Jᵀ u is linear in u, so that its own reverse derivative in u, applied to v, is J v.

    Args:
        function: from weights to any tensor; every operation in it has a second derivative.
        weights: where.
        direction: v, by the same names.
    """
    names = list(weights)
    leaves = {name: weights[name].detach().requires_grad_() for name in names}
    output = function(leaves)
    pulled = torch.ones_like(output).requires_grad_()
    slopes = torch.autograd.grad(output, [leaves[name] for name in names], pulled, create_graph=True, allow_unused=True)
    used = [(slope, direction[name]) for name, slope in zip(names, slopes, strict=True) if slope is not None]
    along = sum(((slope * v).sum() for slope, v in used), start=output.new_zeros(()))
    (derivative,) = torch.autograd.grad(along, pulled, allow_unused=True)
    return torch.zeros_like(output) if derivative is None else derivative


def _dot(a: Weights, b: Weights) -> float:
    """Return the inner product of two sets of weights."""
    return float(sum((exact(a[name]) * exact(b[name])).sum() for name in a))


def _total(parts: Iterable[Weights]) -> Weights:
    """Return the sum of several sets of weights, no more than two of which are held at a time."""
    total: Weights = {}
    for part in parts:
        total = {name: total[name] + part[name] for name in part} if total else part
    return total


def _sum(a: Weights, b: Weights, factor: float) -> Weights:
    """Return a + factor * b."""
    return {name: a[name] + factor * b[name] for name in a}
