from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from zspag_core.errors import UnlearningError
from zspag_core.layers import as_matrices, input_rows, weight_layers
from zspag_core.progress import Reporter
from zspag_core.proxies import ProxySet
from zspag_core.subspace import (
    LayerBasis,
    Subspace,
    class_moments,
    empty_subspace,
    estimate_subspace,
    random_subspace,
)


def proxies_of(labels: list[int], seed: int = 0) -> ProxySet:
    generator = torch.Generator().manual_seed(seed)
    count = len(labels)
    images = torch.rand(count, 1, 8, 8, generator=generator)
    return ProxySet(images, torch.tensor(labels), torch.arange(count), torch.ones(count), count, count)


def raw_rows(model: nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return what enters every layer, (groups, rows, dim) float64, gathered in one pass by hooks of our own."""
    found = {}

    def hook_of(name):
        def hook(module, inputs):
            found[name] = input_rows(module, inputs[0]).double()

        return hook

    handles = [layer.register_forward_pre_hook(hook_of(name)) for name, layer in weight_layers(model).items()]
    with torch.no_grad():
        model(images)
    for handle in handles:
        handle.remove()
    return found


def projector(columns: torch.Tensor) -> torch.Tensor:
    return columns.double() @ columns.double().mT


def leading_by_svd(rows: torch.Tensor, energy: float) -> torch.Tensor:
    """Return the fewest left singular vectors of rowsᵀ that hold the share of the squared singular values."""
    left, lengths, _ = torch.linalg.svd(rows.T, full_matrices=False)
    squared, total, rank = lengths.square().tolist(), float(lengths.square().sum()), 0
    while rank < len(squared) and sum(squared[:rank]) < energy * total * (1 - 1e-12):
        rank += 1
    return left[:, :rank]


def union_by_svd(parts: list[torch.Tensor], tolerance: float) -> torch.Tensor:
    left, lengths, _ = torch.linalg.svd(torch.cat(parts, dim=1), full_matrices=False)
    return left[:, lengths.square() > max(tolerance, 1e-12)]


def spectrum(*values: float) -> torch.Tensor:
    """Return rows (1, n, n) whose squared singular values are as given."""
    return torch.diag(torch.tensor(values, dtype=torch.float64).sqrt())[None]


class Straight(nn.Module):
    """One linear layer over the pixels, as a classifier."""

    def __init__(self, dim: int, classes: int = 3):
        super().__init__()
        self.head = nn.Linear(dim, classes)

    def forward(self, images):
        return self.head(images.flatten(1))


def straight_proxies(parts: list[torch.Tensor]) -> ProxySet:
    rows = torch.cat(parts).float()
    labels = torch.cat([torch.full((len(part),), k) for k, part in enumerate(parts)])
    count = len(labels)
    return ProxySet(rows[:, None, None, :], labels, torch.arange(count), torch.ones(count), count, count)


@pytest.mark.parametrize(
    ("energy", "rank"), [(0.01, 1), (0.4, 1), (0.41, 2), (0.7, 2), (0.71, 3), (0.89, 3), (0.91, 4), (1.0, 4)]
)
@pytest.mark.parametrize("pooling", ["per_class", "pooled"])
def test_the_energy_threshold_by_a_hand_made_spectrum(energy, rank, pooling):
    rows = spectrum(4, 3, 2, 1, 0, 0)[0]
    found = estimate_subspace(
        Straight(6), straight_proxies([rows]), [0], energy=energy, tolerance=0.0, pooling=pooling
    ).layers["head"]
    assert found.rank == rank
    assert found.dim == 6
    assert not found.full
    torch.testing.assert_close(projector(found.basis[0]), torch.diag((torch.arange(6) < rank).double()))


@pytest.mark.parametrize(("energy", "shorter"), [(0.7, False), (0.89, False), (0.91, True), (1.0, True)])
def test_a_projection_takes_the_shorter_way(energy, shorter):
    rows = spectrum(4, 3, 2, 1, 0, 0)[0]
    found = estimate_subspace(
        Straight(6), straight_proxies([rows]), [0], energy=energy, tolerance=0.0, pooling="pooled"
    ).layers["head"]
    assert (found.free is not None) == shorter
    matrices = torch.randn(1, 5, 6, generator=torch.Generator().manual_seed(0))
    longer = matrices - (matrices @ found.basis) @ found.basis.mT
    torch.testing.assert_close(found.project(matrices), longer, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("tolerance", "rank"), [(0.0, 3), (0.05, 3), (0.3, 2), (1.2, 1), (1.8, 0)])
def test_the_tolerance_by_two_lines_at_a_known_angle(tolerance, rank):
    """Two unit vectors at angle a have a sum of projectors with eigenvalues 1 ± cos a; the third direction has 1."""
    angle = math.acos(0.75)
    first = torch.tensor([[1.0, 0, 0, 0]])
    second = torch.tensor([[math.cos(angle), math.sin(angle), 0, 0]])
    third = torch.tensor([[0, 0, 1.0, 0]])
    found = estimate_subspace(
        Straight(4), straight_proxies([first, second, third]), [0, 1, 2], energy=1.0, tolerance=tolerance,
        pooling="per_class",
    )  # fmt: skip
    assert found.layers["head"].rank == rank


@pytest.mark.parametrize("tolerance", [0.0, 0.05, 0.5])
def test_bases_equal_svd_of_raw_matrices_and_of_their_concatenation(odd_model, tolerance):
    proxies = proxies_of([0, 1, 3, 3, 1, 0, 0, 4, 4, 1] * 2)
    found = estimate_subspace(
        odd_model, proxies, [0, 1, 3, 4], energy=0.9, tolerance=tolerance, pooling="per_class", batch_size=3
    )
    by_class = {k: raw_rows(odd_model, proxies.images[proxies.labels == k]) for k in (0, 1, 3, 4)}
    for name, layer in weight_layers(odd_model).items():
        basis = found.layers[name]
        groups = basis.basis.shape[0]
        assert basis.dim == groups * layer.weight[0].numel()
        for group in range(groups):
            parts = [leading_by_svd(by_class[k][name][group], 0.9) for k in by_class]
            expected = union_by_svd(parts, tolerance)
            columns = basis.basis[group][:, : basis.ranks[group]]
            assert basis.ranks[group] == expected.shape[1], name
            assert bool((basis.basis[group][:, basis.ranks[group] :] == 0).all())
            torch.testing.assert_close(projector(columns), projector(expected), atol=1e-4, rtol=0)
            eye = torch.eye(columns.shape[1])
            torch.testing.assert_close(columns.T @ columns, eye, atol=1e-5, rtol=0)
    assert found.unprotected == ()
    assert found.pooling == "per_class"


def test_pooled_bases_equal_one_svd_of_the_scaled_rows(odd_model):
    proxies = proxies_of([0, 1, 3, 3, 1, 0, 0, 0] * 2)
    found = estimate_subspace(odd_model, proxies, [0, 1, 3], energy=0.8, tolerance=0.05, pooling="pooled")
    by_class = [raw_rows(odd_model, proxies.images[proxies.labels == k]) for k in (0, 1, 3)]
    for name in weight_layers(odd_model):
        basis = found.layers[name]
        scaled = torch.cat([rows[name] / rows[name].norm() for rows in by_class], dim=1)
        for group in range(basis.basis.shape[0]):
            expected = leading_by_svd(scaled[group], 0.8)
            assert basis.ranks[group] == expected.shape[1], name
            torch.testing.assert_close(projector(basis.basis[group]), projector(expected), atol=1e-4, rtol=0)


def test_auto_pools_only_for_many_classes():
    def pooling(classes):
        rows = torch.eye(3).repeat(classes, 1)
        parts = list(rows.chunk(classes))
        model = Straight(3, classes)
        found = estimate_subspace(model, straight_proxies(parts), range(classes), energy=0.9, tolerance=0.0)
        return found.pooling

    assert pooling(20) == "per_class"
    assert pooling(21) == "pooled"


def test_layers_that_share_their_input_share_the_basis(small_vit):
    found = estimate_subspace(small_vit, proxies_of([0, 1] * 3), [0, 1], energy=0.9, tolerance=0.05).layers
    q, k, v, out = (found[f"blocks.0.attention.{part}"] for part in ("q", "k", "v", "out"))
    assert q is k
    assert k is v
    assert out is not q
    assert all(0 < layer.rank <= layer.dim for layer in found.values())


def test_a_class_without_proxies_is_protected_by_the_heads_row_alone(odd_model):
    labels = [0, 0, 1, 1]
    without = estimate_subspace(odd_model, proxies_of(labels), [0, 1], energy=0.5, tolerance=0.0)
    found = estimate_subspace(odd_model, proxies_of(labels), [0, 1, 4], energy=0.5, tolerance=0.0)
    assert found.unprotected == (4,)
    row = odd_model.head.weight.detach()[4]
    assert float(found.layers["head"].project(row[None, None]).norm() / row.norm()) < 1e-5
    assert float(without.layers["head"].project(row[None, None]).norm() / row.norm()) > 1e-2
    for name in ("first", "grouped", "hidden"):
        assert torch.equal(found.layers[name].basis, without.layers[name].basis)


def test_a_layer_that_inputs_fill_is_flagged_and_nothing_is_left_to_move():
    found = estimate_subspace(Straight(3), straight_proxies([torch.eye(3)]), [0], energy=1.0, tolerance=0.0)
    layer = found.layers["head"]
    assert layer.full
    assert layer.rank == layer.dim == 3
    assert float(layer.project(torch.randn(1, 5, 3)).abs().max()) < 1e-6


def test_a_layer_that_only_ever_sees_zero_has_rank_zero():
    found = estimate_subspace(Straight(3), straight_proxies([torch.zeros(2, 3)]), [0], energy=0.9, tolerance=0.05)
    assert found.layers["head"].rank == 0
    assert not found.layers["head"].full


def test_without_proxies_there_is_nothing_to_estimate_from(odd_model):
    with pytest.raises(UnlearningError, match=r"no proxies: .* try a larger epsilon"):
        estimate_subspace(odd_model, proxies_of([]), [0, 1], energy=0.9, tolerance=0.05)


def test_progress_counts_classes_and_the_model_is_left_alone(odd_model, state_of, assert_untouched):
    class Steps(Reporter):
        def __init__(self):
            self.seen = []

        def progress(self, stage, done, total, **_figures):
            self.seen.append((stage, done, total))

    before, report = state_of(odd_model), Steps()
    estimate_subspace(odd_model, proxies_of([0, 1, 1]), [0, 1], energy=0.9, tolerance=0.05, report=report)
    assert report.seen == [("subspace", 1, 2), ("subspace", 2, 2)]
    assert_untouched(odd_model, before)


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["per_class", "pooled"])
@pytest.mark.parametrize("network", ["odd_model", "small_vit"])
def test_groups_of_layers_give_the_same_bytes_as_all_at_once(network, pooling, request):
    model, proxies = request.getfixturevalue(network), proxies_of([0, 0, 1, 3, 3, 3] * 4)
    one, two = (
        estimate_subspace(model, proxies, [0, 1, 3, 4], energy=0.9, tolerance=0.05, pooling=pooling, room=room)
        for room in (10**12, 1)
    )
    assert list(one.layers) == list(two.layers)
    for name, layer in one.layers.items():
        assert torch.equal(layer.basis, two.layers[name].basis)
        assert layer.ranks == two.layers[name].ranks
    assert (one.unprotected, one.pooling) == (two.unprotected, two.pooling)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_moments_do_not_depend_on_the_batches(odd_model, batch_size):
    images = proxies_of([0] * 9).images
    found = class_moments(odd_model, weight_layers(odd_model), images, batch_size)
    for name, rows in raw_rows(odd_model, images).items():
        torch.testing.assert_close(found[name].matrix(), rows.mT @ rows, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("ranks", [(2, 3), (0, 4), (0, 0), (4, 4)])
def test_a_random_subspace_has_the_same_ranks_and_orthonormal_columns(ranks):
    widest = max(ranks)
    keep = torch.arange(widest) < torch.tensor(ranks)[:, None]
    basis = torch.linalg.qr(torch.randn(2, 4, 4)).Q[:, :, :widest] * keep[:, None]
    like = Subspace({"a": LayerBasis(basis, ranks)}, (3,), "per_class")
    drawn = random_subspace(like, torch.Generator().manual_seed(0))
    again = random_subspace(like, torch.Generator().manual_seed(0))
    other = random_subspace(like, torch.Generator().manual_seed(1))
    layer = drawn.layers["a"]
    assert layer.ranks == ranks
    assert layer.rank == sum(ranks)
    assert drawn.unprotected == (3,)
    for group, rank in enumerate(ranks):
        expected = torch.diag((torch.arange(widest) < rank).float())
        torch.testing.assert_close(layer.basis[group].T @ layer.basis[group], expected, atol=1e-5, rtol=0)
    assert torch.equal(layer.basis, again.layers["a"].basis)
    if 0 < sum(ranks) < 8:
        assert not torch.allclose(projector(layer.basis), projector(other.layers["a"].basis))
        assert not torch.allclose(projector(layer.basis), projector(basis))


def test_an_empty_subspace_projects_nothing(odd_model):
    empty = empty_subspace(odd_model)
    for name, layer in weight_layers(odd_model).items():
        matrices = as_matrices(layer.weight, layer)
        assert torch.equal(empty.layers[name].project(matrices), matrices)
        assert empty.layers[name].rank == 0
        assert empty.layers[name].dim == matrices.shape[0] * matrices.shape[2]


def test_projected_gradients_do_not_change_what_the_basis_gives(odd_model):
    found = estimate_subspace(odd_model, proxies_of([0, 1] * 4), [0, 1], energy=0.6, tolerance=0.05)
    layers = weight_layers(odd_model)
    generator = torch.Generator().manual_seed(0)
    originals = {}
    for name, layer in layers.items():
        layer.weight.grad = torch.randn(layer.weight.shape, generator=generator)
        originals[name] = as_matrices(layer.weight.grad.clone(), layer).double()
    odd_model.hidden.weight.grad = None
    found.project_gradients(layers)
    for name, layer in layers.items():
        if name == "hidden":
            assert layer.weight.grad is None
            continue
        basis = found.layers[name].basis.double()
        expected = originals[name] @ (torch.eye(basis.shape[1]) - basis @ basis.mT)
        torch.testing.assert_close(as_matrices(layer.weight.grad, layer).double(), expected, atol=1e-5, rtol=0)
        assert found.layers[name].rank > 0
