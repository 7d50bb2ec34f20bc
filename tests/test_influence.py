from __future__ import annotations

import pytest
import torch
from torch.func import functional_call
from torch.nn import functional as F

from zspag_core import batching, influence
from zspag_core.errors import Cancelled
from zspag_core.influence import (
    InverseDirection,
    _conjugate_gradients,
    _derivative_along,
    _GaussNewton,
    inverse_direction,
    label_influences,
    project_direction,
    reverse_derivative_along,
)
from zspag_core.layers import as_matrices, weight_layers
from zspag_core.progress import SILENT, Reporter
from zspag_core.subspace import LayerBasis, Subspace, empty_subspace

NAMES = ["grouped.weight", "hidden.weight", "head.weight"]


@pytest.fixture
def images():
    return torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def labels():
    return torch.randint(5, (12,), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def as_bytes():
    return torch.randint(0, 256, (9, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))


def flat(parts: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([parts[name].detach().flatten().double() for name in NAMES])


def explicit(model, images, labels):
    """Return the Gauss-Newton matrix and the gradient in float64, from one Jacobian row per sample and class."""
    model = model.double()
    weights = [dict(model.named_parameters())[name] for name in NAMES]
    images = images.double()
    logits = model(images)
    size = sum(weight.numel() for weight in weights)
    matrix = torch.zeros(size, size, dtype=torch.float64)
    for i in range(len(images)):
        rows = torch.stack([
            torch.cat([g.flatten() for g in torch.autograd.grad(logits[i, k], weights, retain_graph=True)])
            for k in range(logits.shape[1])
        ])  # fmt: skip
        p = logits[i].detach().softmax(0)
        matrix += rows.T @ (p.diag() - torch.outer(p, p)) @ rows / len(images)
    gradients = torch.autograd.grad(F.cross_entropy(logits, labels), weights)
    model.float()
    return matrix, torch.cat([g.flatten() for g in gradients])


def random_direction(model, seed: int = 3) -> dict[str, torch.Tensor]:
    generator, named = torch.Generator().manual_seed(seed), dict(model.named_parameters())
    return {name: torch.randn(named[name].shape, generator=generator) for name in NAMES}


def test_products_and_gradient_equal_the_explicit_matrix(odd_model, images, labels):
    matrix, gradient = explicit(odd_model, images, labels)
    weights = {name: dict(odd_model.named_parameters())[name].detach() for name in NAMES}
    curvature = _GaussNewton(odd_model, weights, images)
    v = random_direction(odd_model)
    torch.testing.assert_close(flat(curvature(v)), matrix @ flat(v), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(flat(curvature.loss_gradient(labels)), gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("damping", [0.05, 1.0])
def test_the_direction_solves_the_damped_system(odd_model, images, labels, damping):
    matrix, gradient = explicit(odd_model, images, labels)
    found = inverse_direction(odd_model, images, labels, NAMES, damping=damping, steps=200, tolerance=1e-5)
    scale = float(gradient @ matrix @ gradient / (gradient @ gradient))
    assert found.damping == pytest.approx(damping * scale, rel=1e-3)
    damped = matrix + found.damping * torch.eye(len(matrix), dtype=torch.float64)
    expected = torch.linalg.solve(damped, gradient)
    assert float((flat(found.direction) - expected).norm() / expected.norm()) < 1e-3
    assert set(found.direction) == set(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 3, 6])
def test_the_residual_is_the_true_one(odd_model, images, labels, steps):
    matrix, gradient = explicit(odd_model, images, labels)
    found = inverse_direction(odd_model, images, labels, NAMES, damping=0.01, steps=steps, tolerance=0.0)
    damped = matrix + found.damping * torch.eye(len(matrix), dtype=torch.float64)
    true = float((damped @ flat(found.direction) - gradient).norm() / gradient.norm())
    assert found.steps == steps
    assert found.residual == pytest.approx(true, rel=0.02, abs=1e-5)
    assert found.residual > 1e-3


def test_images_that_the_model_is_sure_of_are_solved_for_too(odd_model, images):
    with torch.no_grad():
        odd_model.head.weight *= 200
        sure = odd_model(images).double().softmax(1)
    assert float(1 - sure.max(1).values.median()) < 1e-9, "float32 cannot tell these probabilities from 1"
    matrix, gradient = explicit(odd_model, images, sure.argmax(1))
    found = inverse_direction(odd_model, images, sure.argmax(1), NAMES, damping=0.1, steps=50)
    damped = matrix + found.damping * torch.eye(len(matrix), dtype=torch.float64)
    assert found.residual < 1e-3
    assert float((damped @ flat(found.direction) - gradient).norm() / gradient.norm()) < 0.01


def test_iteration_ends_at_the_tolerance_and_tells_every_step(odd_model, images, labels):
    class Steps(Reporter):
        def __init__(self):
            self.residuals, self.done = [], []

        def progress(self, stage, done, total, **figures):
            assert stage == "labels"
            assert total == 90
            self.done.append(done)
            self.residuals.append(figures["residual"])

    report = Steps()
    found = inverse_direction(odd_model, images, labels, NAMES, damping=1.0, steps=90, tolerance=0.05, report=report)
    assert found.steps < 90
    assert report.done == list(range(1, found.steps + 1))
    assert report.residuals[-1] == found.residual <= 0.05
    assert all(residual > 0.05 for residual in report.residuals[:-1])


def test_conjugate_gradients_solve_a_small_system_in_as_many_steps_as_it_has_dimensions():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    matrix = root @ root.T + torch.eye(6)
    wanted = torch.randn(6, generator=generator, dtype=torch.float64)
    x, residual, steps = _conjugate_gradients(lambda v: {"w": matrix @ v["w"]}, {"w": wanted}, 50, 1e-8, SILENT)
    torch.testing.assert_close(x["w"], torch.linalg.solve(matrix, wanted), rtol=1e-6, atol=1e-8)
    assert residual <= 1e-8
    assert steps <= 7


def test_curvature_that_is_not_positive_ends_the_iteration():
    signs = torch.tensor([1.0, -3.0])
    x, residual, steps = _conjugate_gradients(lambda v: {"w": signs * v["w"]}, {"w": torch.ones(2)}, 50, 1e-3, SILENT)
    assert (x["w"].tolist(), residual, steps) == ([0, 0], 1.0, 0)


def test_a_zero_gradient_has_a_zero_solution():
    x, residual, steps = _conjugate_gradients(lambda v: v, {"w": torch.zeros(3)}, 5, 1e-3, SILENT)
    assert x["w"].tolist() == [0, 0, 0]
    assert (residual, steps) == (0.0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [4, 128])
def test_influences_equal_one_backward_pass_per_sample_and_label(
    odd_model, as_bytes, batch_size, state_of, assert_untouched
):
    before = state_of(odd_model)
    direction = random_direction(odd_model)
    found = label_influences(odd_model, direction, as_bytes, batch_size=batch_size)
    weights = [dict(odd_model.named_parameters())[name] for name in NAMES]
    expected = torch.zeros(9, 5, dtype=torch.float64)
    for i in range(9):
        for k in range(5):
            loss = F.cross_entropy(odd_model(as_bytes[i : i + 1].float() / 255), torch.tensor([k]))
            gradients = torch.autograd.grad(loss, weights)
            expected[i, k] = sum((g.double() * direction[n]).sum() for n, g in zip(NAMES, gradients, strict=True))
    scale = float(expected.abs().max())
    assert float((found - expected).abs().max()) < 1e-4 * scale
    assert found.dtype == torch.float32
    assert not found.requires_grad
    assert_untouched(odd_model, before)


def test_influences_reach_through_attention(small_vit, as_bytes):
    names = ["blocks.0.attention.q.weight", "blocks.1.attention.k.weight", "patches.weight"]
    named = dict(small_vit.named_parameters())
    generator = torch.Generator().manual_seed(0)
    direction = {name: torch.randn(named[name].shape, generator=generator) for name in names}
    found = label_influences(small_vit, direction, as_bytes).double()
    step, images = 1e-4, as_bytes.double() / 255

    def losses(factor):
        vit = small_vit.double()
        moved = {name: named[name].double() + factor * direction[name] for name in names}
        result = -F.log_softmax(functional_call(vit, moved, (images,)), 1).detach()
        small_vit.float()
        return result

    expected = (losses(step) - losses(-step)) / (2 * step)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_the_direction_can_be_found_through_attention(small_vit, images, labels, state_of, assert_untouched):
    before = state_of(small_vit)
    names = [f"{name}.weight" for name in weight_layers(small_vit)]
    found = inverse_direction(small_vit, images, labels, names, damping=1.0, steps=30)
    assert isinstance(found, InverseDirection)
    assert found.residual < 1e-3
    assert_untouched(small_vit, before)


def test_cancelling_passes_through(odd_model, images, labels, as_bytes):
    class Stop(Reporter):
        def progress(self, *_args, **_figures):
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        inverse_direction(odd_model, images, labels, NAMES, damping=0.1, steps=3, report=Stop())
    with pytest.raises(Cancelled):
        label_influences(odd_model, random_direction(odd_model), as_bytes, report=Stop())


def test_projection_keeps_the_free_part_and_says_how_much_that_is(odd_model):
    direction = random_direction(odd_model)
    layers = dict(empty_subspace(odd_model).layers)
    columns = torch.linalg.qr(torch.randn(2, 18, 5, generator=torch.Generator().manual_seed(0))).Q
    layers["grouped"] = LayerBasis(columns, (5, 5))
    projected, share = project_direction(odd_model, direction, Subspace(layers))
    matrices = as_matrices(direction["grouped.weight"], odd_model.grouped)
    expected = matrices @ (torch.eye(18) - columns @ columns.mT)
    torch.testing.assert_close(as_matrices(projected["grouped.weight"], odd_model.grouped), expected, atol=1e-5, rtol=0)
    assert torch.equal(projected["hidden.weight"], direction["hidden.weight"])
    assert share == pytest.approx(float(flat(projected).norm() / flat(direction).norm()), rel=1e-5)
    assert share < 1
    assert project_direction(odd_model, direction, empty_subspace(odd_model))[1] == pytest.approx(1.0)


@pytest.mark.slow
def test_what_does_not_fit_is_made_anew_for_every_product_with_the_same_outcome(digits_model, monkeypatch):
    images = torch.rand(30, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    labels, names = torch.arange(30) % 10, ["head.weight"]
    monkeypatch.setattr(batching, "CPU_BYTES", 7 * batching.bytes_of_one(digits_model, images))
    found = []
    for held in (5, 0):
        monkeypatch.setattr(influence, "HELD_BATCHES", held)
        assert bool(_GaussNewton(digits_model, {}, images).held) == bool(held)
        found.append(inverse_direction(digits_model, images, labels, names, damping=0.1, steps=4).direction)
    assert torch.equal(found[0]["head.weight"], found[1]["head.weight"])


def test_the_reverse_mode_stands_in_where_an_operation_has_no_forward_mode():
    generator = torch.Generator().manual_seed(0)
    weights = {"a": torch.randn(4, 3, generator=generator), "b": torch.randn(5, 4, generator=generator)}
    direction = {name: torch.randn(value.shape, generator=generator) for name, value in weights.items()}
    inputs = torch.randn(7, 3, generator=generator)

    def answer(moved):
        return torch.log_softmax(torch.tanh(inputs @ moved["a"].T) @ moved["b"].T, dim=1)

    expected = torch.func.jvp(answer, (weights,), (direction,))[1]
    torch.testing.assert_close(reverse_derivative_along(answer, weights, direction), expected)

    class Squared(torch.autograd.Function):  # as owners write them: reverse mode alone
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, slope):
            (x,) = ctx.saved_tensors
            return 2 * x * slope

    def own(moved):
        return Squared.apply(answer(moved))

    found = _derivative_along(own, weights, direction)
    torch.testing.assert_close(found, 2 * answer(weights) * expected)


def test_a_weight_that_is_not_used_changes_nothing():
    weights = {"a": torch.ones(2), "idle": torch.ones(3)}
    found = reverse_derivative_along(lambda moved: 3 * moved["a"], weights, {"a": torch.ones(2), "idle": torch.ones(3)})
    assert torch.equal(found, torch.full((2,), 3.0))
