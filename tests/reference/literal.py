"""ZS-PAG as the paper writes it, kept simple and slow: the yardstick of the fast implementation.

Nothing here is shared with `zspag_core`: every forget sample is attacked with all steps of plain PGD, the input
matrices R are held whole, both decompositions are singular value decompositions of the matrices themselves, influence
is one backward pass per sample and label, labels are found by gradient steps, and every step is projected with an
explicit P = I - S Sᵀ.

Source: Chen et al., ZS-PAG, section 3, equations 1 to 5 and 10.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

Bases = dict[str, list[Tensor]]  # layer -> one (dim, rank) matrix per group
Direction = dict[str, Tensor]  # weight name -> tensor of its shape


def layers_of(model: nn.Module) -> dict[str, nn.Module]:
    """Return linear layers and convolutions by name."""
    return {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)}


def groups_of(layer: nn.Module) -> int:
    """Return the number of groups of a convolution, 1 for a linear layer."""
    return getattr(layer, "groups", 1)


# --- Stage 1: equations 1 and 2 ---------------------------------------------------------------------------------------


def choose_targets(logits: Tensor, forgotten: tuple[int, ...]) -> Tensor:
    """Return the best class outside the forgotten ones for every sample (equation 2)."""
    best = []
    for row in logits.tolist():
        allowed = [k for k in range(len(row)) if k not in forgotten]
        best.append(max(allowed, key=row.__getitem__))
    return torch.tensor(best, device=logits.device)


def attack(
    model: nn.Module, images: Tensor, targets: Tensor, *, epsilon: float, steps: int, step: float, batch_size: int
) -> Tensor:
    """Return images after `steps` steps of length `step` towards the targets, within `epsilon` (equation 1)."""
    attacked = []
    for clean, wanted in zip(images.split(batch_size), targets.split(batch_size), strict=True):
        delta = torch.zeros_like(clean)
        for _ in range(steps):
            delta.requires_grad_()
            loss = F.cross_entropy(model(clean + delta), wanted, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, delta)
            delta = (delta.detach() - step * gradient.sign()).clamp(-epsilon, epsilon)
            delta = (clean + delta).clamp(0, 1) - clean
        attacked.append(clean + delta)
    return torch.cat(attacked)


@torch.no_grad()
def keep_successes(model: nn.Module, attacked: Tensor, forgotten: tuple[int, ...], n_adv: int) -> tuple[Tensor, Tensor]:
    """Return which samples are proxies, at most `n_adv` a class, and the class that each one reached."""
    reached = model(attacked).argmax(1)
    counts: dict[int, int] = {}
    kept = []
    for index, k in enumerate(reached.tolist()):
        if k not in forgotten and counts.get(k, 0) < n_adv:
            counts[k] = counts.get(k, 0) + 1
            kept.append(index)
    return torch.tensor(kept, dtype=torch.int64), reached[kept]


# --- Stage 2: equations 3 and 4 ---------------------------------------------------------------------------------------


@torch.no_grad()
def input_matrices(model: nn.Module, images: Tensor) -> dict[str, list[Tensor]]:
    """Return R of every layer and group, (dim, rows): what the layer's weights are multiplied with, held whole."""
    inputs: dict[str, Tensor] = {}
    handles = [
        layer.register_forward_hook(lambda _layer, given, _out, name=name: inputs.__setitem__(name, given[0].clone()))
        for name, layer in layers_of(model).items()
    ]
    try:
        model(images)
    finally:
        for handle in handles:
            handle.remove()
    return {name: _matrices(layer, inputs[name]) for name, layer in layers_of(model).items()}


def _matrices(layer: nn.Module, inputs: Tensor) -> list[Tensor]:
    if isinstance(layer, nn.Linear):
        return [inputs.flatten(0, -2).T]
    return [_patches(layer, part) for part in inputs.chunk(layer.groups, dim=1)]


def _patches(layer: nn.Conv2d, inputs: Tensor) -> Tensor:
    """Return every patch of a group's channels as a column; needs zero padding."""
    columns = F.unfold(inputs, layer.kernel_size, layer.dilation, layer.padding, layer.stride)  # (N, dim, patches)
    return columns.transpose(0, 1).flatten(1)


def class_basis(matrix: Tensor, energy: float) -> Tensor:
    """Return the fewest left singular vectors of R that hold the share `energy` of its squares (equation 3)."""
    left, sigma, _right = torch.linalg.svd(matrix, full_matrices=False)
    total, held = sigma.square().sum(), 0.0
    for rank, value in enumerate(sigma.square(), start=1):
        held = held + value
        if held >= energy * total * (1 - 1e-12):
            return left[:, :rank]
    return left


def combine(bases: list[Tensor], tolerance: float) -> Tensor:
    """Return the left singular vectors of all bases side by side whose squared singular value exceeds the tolerance."""
    together = torch.cat(bases, dim=1)
    left, sigma, _right = torch.linalg.svd(together, full_matrices=False)
    rounding = len(together) * torch.finfo(together.dtype).eps * sigma[0].square()
    return left[:, sigma.square() > max(tolerance, float(rounding))]


def estimate(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    remaining: list[int],
    *,
    energy: float,
    tolerance: float,
    head: str = "head",
) -> Bases:
    """Return S of every layer and group (equation 4); a class without proxies gives its weight row in the head."""
    found: dict[str, list[list[Tensor]]] = {
        name: [[] for _ in range(groups_of(layer))] for name, layer in layers_of(model).items()
    }
    for k in remaining:
        if not (labels == k).any():
            row = layers_of(model)[head].weight.detach()[k]
            found[head][0].append((row / row.norm())[:, None])
            continue
        for name, matrices in input_matrices(model, images[labels == k]).items():
            for group, matrix in enumerate(matrices):
                found[name][group].append(class_basis(matrix, energy))
    return {name: [combine(bases, tolerance) for bases in groups] for name, groups in found.items()}


# --- Stage 3: equation 10 ---------------------------------------------------------------------------------------------


def loss_gradient(model: nn.Module, images: Tensor, labels: Tensor, names: list[str]) -> Tensor:
    """Return the gradient of the mean cross-entropy over some weights, one long vector."""
    weights = [model.get_parameter(name) for name in names]
    gradients = torch.autograd.grad(F.cross_entropy(model(images), labels), weights)
    return torch.cat([part.flatten() for part in gradients])


def dense_curvature(model: nn.Module, images: Tensor, names: list[str]) -> Tensor:
    """Return the Gauss-Newton matrix of the mean cross-entropy, written out: mean of Jᵀ (diag(p) - p pᵀ) J."""
    weights = [model.get_parameter(name) for name in names]
    total = 0.0
    for image in images:
        logits = model(image[None])[0]
        rows = [torch.autograd.grad(value, weights, retain_graph=True) for value in logits]
        jacobian = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])  # (classes, weights)
        p = logits.detach().softmax(0)
        total = total + jacobian.T @ (p.diag() - torch.outer(p, p)) @ jacobian
    return total / len(images)


def dense_direction(model: nn.Module, images: Tensor, labels: Tensor, names: list[str], damping: float) -> Direction:
    """Return s = (H + damping h I)⁻¹ ∇L, h the curvature along the gradient, by a dense solve: small models only."""
    gradient = loss_gradient(model, images, labels, names)
    curvature = dense_curvature(model, images, names)
    added = damping * (gradient @ curvature @ gradient) / (gradient @ gradient)
    solution = torch.linalg.solve(curvature + added * torch.eye(len(gradient)).to(curvature), gradient)
    return _shaped(model, solution, names)


def curvature_product(model: nn.Module, images: Tensor, v: Tensor, names: list[str]) -> Tensor:
    """Return the Gauss-Newton matrix times v, with J v from two backward passes (the double-backward trick)."""
    weights = [model.get_parameter(name) for name in names]
    with sdpa_kernel(SDPBackend.MATH):  # the fused attention cannot be derived twice
        logits = model(images)
    dummy = torch.zeros_like(logits, requires_grad=True)
    back = torch.autograd.grad(logits, weights, dummy, create_graph=True)  # Jᵀ u, linear in u
    along = sum((part * one).sum() for part, one in zip(back, _shaped(model, v, names).values(), strict=True))
    (change,) = torch.autograd.grad(along, dummy, retain_graph=True)  # J v
    p = logits.detach().softmax(1)
    weighted = p * (change - (p * change).sum(1, keepdim=True)) / len(images)
    return torch.cat([part.flatten() for part in torch.autograd.grad(logits, weights, weighted)])


def cg_direction(
    model: nn.Module, images: Tensor, labels: Tensor, names: list[str], *, damping: float, steps: int
) -> Direction:
    """Return s by conjugate gradients, for models too large for a dense matrix."""
    gradient = loss_gradient(model, images, labels, names)
    along = curvature_product(model, images, gradient, names)
    added = damping * (gradient @ along) / (gradient @ gradient)
    solution, residual, search = torch.zeros_like(gradient), gradient.clone(), gradient.clone()
    for _ in range(steps):
        curved = curvature_product(model, images, search, names) + added * search
        length = (residual @ residual) / (search @ curved)
        solution = solution + length * search
        shorter = residual - length * curved
        search = shorter + (shorter @ shorter) / (residual @ residual) * search
        residual = shorter
    return _shaped(model, solution, names)


def influences(model: nn.Module, direction: Direction, images: Tensor, classes: int) -> Tensor:
    """Return c_ik = sᵀ ∇ℓ(x_i, k), (N, classes), by one backward pass per sample and label."""
    weights = [model.get_parameter(name) for name in direction]
    rows = []
    for image in images:
        row = []
        for k in range(classes):
            loss = F.cross_entropy(model(image[None]), torch.tensor([k], device=image.device))
            gradients = torch.autograd.grad(loss, weights)
            row.append(sum((s * g).sum() for s, g in zip(direction.values(), gradients, strict=True)))
        rows.append(torch.stack(row))
    return torch.stack(rows)


def optimise_labels(
    costs: Tensor, truth: Tensor, *, divergence: float, steps: int, rate: float, generator: torch.Generator
) -> Tensor:
    """Return labels y = softmax(u) that lower Σ_k y_k cost_k - divergence KL(truth ‖ y), by gradient steps on u."""
    u = torch.randn(costs.shape, generator=generator).to(costs)
    for _ in range(steps):
        u.requires_grad_()
        log_y = u.log_softmax(1)
        similarity = F.nll_loss(log_y, truth, reduction="sum")  # KL of a one-hot label and y
        (gradient,) = torch.autograd.grad((log_y.exp() * costs).sum() - divergence * similarity, u)
        u = u.detach() - rate * gradient
    return u.softmax(1)


# --- The loop: equation 5 ---------------------------------------------------------------------------------------------


def projections(bases: Bases) -> Bases:
    """Return P = I - S Sᵀ of every layer and group, written out."""
    return {name: [torch.eye(len(s)).to(s) - s @ s.T for s in groups] for name, groups in bases.items()}


def step(model: nn.Module, projection: Bases, images: Tensor, labels: Tensor, rate: float) -> None:
    """Take one projected gradient step on soft labels, in place: W ← W - rate ∇W P."""
    layers = layers_of(model)
    loss = F.cross_entropy(model(images), labels)
    gradients = torch.autograd.grad(loss, [layer.weight for layer in layers.values()])
    with torch.no_grad():
        for (name, layer), gradient in zip(layers.items(), gradients, strict=True):
            parts = gradient.flatten(1).chunk(groups_of(layer))
            projected = torch.cat([part @ p for part, p in zip(parts, projection[name], strict=True)])
            layer.weight -= rate * projected.view_as(layer.weight)


def unlearn(
    model: nn.Module, bases: Bases, images: Tensor, labels: Tensor, *, rate: float, epochs: int, batch_size: int
) -> nn.Module:
    """Return a copy of the model after some epochs of projected gradient descent."""
    model, projection = copy.deepcopy(model), projections(bases)
    for _ in range(epochs):
        for batch, wanted in zip(images.split(batch_size), labels.split(batch_size), strict=True):
            step(model, projection, batch, wanted, rate)
    return model


def _shaped(model: nn.Module, vector: Tensor, names: list[str]) -> Direction:
    """Cut a long vector into the shapes of the weights."""
    shapes = [model.get_parameter(name).shape for name in names]
    parts = vector.split([shape.numel() for shape in shapes])
    return {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
