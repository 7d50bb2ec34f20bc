from __future__ import annotations

import copy

import pytest
import torch

from zspag_core.layers import as_matrices, input_rows, weight_layers
from zspag_core.metrics.layers import report_layers
from zspag_core.subspace import LayerBasis, Subspace, empty_subspace

NO_LABELS = torch.zeros(0, dtype=torch.int64)


@pytest.fixture
def changed(odd_model):
    """A copy in which three layers moved a little."""
    other, generator = copy.deepcopy(odd_model), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name in ("grouped", "reflected", "head"):
            weight = weight_layers(other)[name].weight
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return other


@pytest.fixture
def subspace(odd_model):
    """Random bases of different ranks; group two of a layer has fewer directions than group one."""
    generator, layers = torch.Generator().manual_seed(1), {}
    for index, (name, empty) in enumerate(empty_subspace(odd_model).layers.items()):
        groups, dim, _ = empty.basis.shape
        most = min(dim, 2 + index)
        columns = torch.linalg.qr(torch.randn(groups, dim, most, generator=generator)).Q
        ranks = tuple(max(0, most - group) for group in range(groups))
        keep = torch.arange(most) < torch.tensor(ranks)[:, None]
        layers[name] = LayerBasis(columns * keep[:, None], ranks)
    return Subspace(layers)


def images(seed: int, count: int = 150) -> torch.Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


def rows_of(model, batch):
    found = {}
    handles = [
        layer.register_forward_pre_hook(
            lambda module, inputs, name=name: found.update({name: input_rows(module, inputs[0]).double()})
        )
        for name, layer in weight_layers(model).items()
    ]
    with torch.no_grad():
        model(batch)
    for handle in handles:
        handle.remove()
    return found


def test_every_figure_equals_the_matrix_computation(odd_model, changed, subspace, state_of, assert_untouched):
    before = state_of(odd_model)
    proxies, real = images(2), images(3)
    labels = torch.arange(len(proxies)) % 3
    found = {row.name: row for row in report_layers(odd_model, changed, subspace, proxies, labels, real)}
    assert list(found) == list(weight_layers(odd_model))
    by_proxies, by_real = rows_of(odd_model, proxies), rows_of(odd_model, real)
    for name, layer in weight_layers(odd_model).items():
        row, basis = found[name], subspace.layers[name].basis.double()
        weight = as_matrices(layer.weight.detach(), layer).double()
        change = as_matrices(weight_layers(changed)[name].weight.detach() - layer.weight.detach(), layer).double()
        assert row.dim == weight.shape[0] * weight.shape[2]
        assert row.rank == subspace.layers[name].rank
        assert row.leak == pytest.approx(float((change @ basis).norm() / weight.norm()), rel=1e-4)
        assert row.moved == pytest.approx(float(change.norm() / weight.norm()), rel=1e-4)
        for drift, rows in ((row.drift_proxy, by_proxies[name]), (row.drift_real, by_real[name])):
            expected = float((change @ rows.mT).norm() / (weight @ rows.mT).norm())
            assert drift == pytest.approx(expected, rel=1e-3)
        inside = float((by_real[name] @ basis).square().sum() / by_real[name].square().sum())
        assert row.captured == pytest.approx(100 * inside, rel=1e-3)
        of_proxies = float((by_proxies[name] @ basis).square().sum() / by_proxies[name].square().sum())
        assert row.captured_proxy == pytest.approx(100 * of_proxies, rel=1e-3)
        per_image = by_proxies[name].unflatten(1, (len(proxies), -1))
        shares = [
            (part @ basis[:, None]).square().sum() / part.square().sum()
            for part in (per_image[:, labels == k] for k in range(3))
        ]
        assert row.kept_least == pytest.approx(100 * float(min(shares)), rel=1e-3)
    assert found["grouped"].moved > 0
    assert found["hidden"].moved == found["hidden"].leak == found["hidden"].drift_real == 0
    assert_untouched(odd_model, before)


def test_without_images_nothing_is_claimed(odd_model, changed):
    none = images(0)[:0]
    for row in report_layers(odd_model, changed, empty_subspace(odd_model), none, NO_LABELS, none):
        assert row.drift_proxy is None
        assert row.drift_real is None
        assert row.captured is None
        assert row.leak == 0
        assert row.rank == 0


def test_the_record_is_plain(odd_model, changed):
    row = report_layers(odd_model, changed, empty_subspace(odd_model), images(0, 2), torch.arange(2), images(1, 2))[
        0
    ].to_dict()
    measured = ["leak", "moved", "drift_proxy", "drift_real", "captured", "kept_least", "captured_proxy"]
    assert list(row) == ["name", "dim", "rank", *measured]
    assert row["captured"] == 0.0
    assert all(type(value) in {str, int, float} for value in row.values())


def test_attention_layers_are_measured_too(small_vit):
    rows = report_layers(
        small_vit, copy.deepcopy(small_vit), empty_subspace(small_vit), images(0, 2), torch.arange(2), images(1, 2)
    )
    assert len(rows) == len(weight_layers(small_vit))
    assert all(row.drift_real == 0 for row in rows)
