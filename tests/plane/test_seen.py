from __future__ import annotations

import base64
import copy

import pytest
import torch
from torch.nn import functional as F

from zspag_core.data.dataset import to_pixels
from zspag_core.layers import weight_layers
from zspag_core.plane.seen import COARSE, FELT, THUMB, Onlooker, cells, energies, fields, gradient_parts
from zspag_core.proxies import ProxySet
from zspag_core.subspace import empty_subspace, estimate_subspace


def test_cells_go_row_by_row_from_the_top_left():
    assert cells(2).flatten(1).tolist() == [[0.25, 0.75], [0.75, 0.75], [0.25, 0.25], [0.75, 0.25]]


def test_a_look_says_what_the_network_reads_and_how_surely(network, points):
    look = Onlooker(points.test, [1]).look(network, COARSE)
    shares = network(cells(COARSE)).softmax(1)
    assert (look.regions % 8).tolist() == shares.argmax(1).tolist()
    assert (look.regions // 8).tolist() == (shares.amax(1) * 8).long().clamp_max(7).tolist()
    right = network(to_pixels(points.test.images)).argmax(1) == points.test.labels
    assert look.acc_rt == pytest.approx(100 * right[points.test.labels != 1].double().mean().item())
    assert look.acc_ut == pytest.approx(100 * right[points.test.labels == 1].double().mean().item())


def test_a_masked_class_is_read_nowhere_and_a_class_without_points_has_no_figure(network, points):
    onlooker = Onlooker(points.test.without_classes([1]), [1])
    look = onlooker.look(network, COARSE, masked=[1])
    assert 1 not in (look.regions % 8)
    assert look.acc_ut is None


def stand_ins(points):
    images = to_pixels(points.train.images)
    return ProxySet(images, points.train.labels, points.train.labels, torch.ones(len(images)), len(images), 0)


@pytest.mark.parametrize("energy", [0.5, 0.97, 1.0])
def test_as_many_directions_are_counted_as_the_method_protects_for_one_class(energy, network, points):
    for k in (0, 2):
        alone = stand_ins(type(points)("one", points.class_names, points.train.of_classes([k]), points.test))
        protected = estimate_subspace(network, alone, [k], energy=energy, tolerance=0.0).layers
        found = energies(network, alone, energy)
        for name, layer in protected.items():
            (record,) = found[name]
            assert record["class"] == k
            if energy < 1:
                assert record["kept"] == layer.rank
            assert record["shares"] == sorted(record["shares"], reverse=True)
            assert 0.999 < sum(record["shares"]) <= 1 + 1e-9 or len(record["shares"]) == 6


def test_shares_are_those_of_the_squared_singular_values(network, points):
    part = points.train.of_classes([2])
    alone = stand_ins(type(points)("one", points.class_names, part, points.test))
    rows = (to_pixels(part.images).flatten(1) - 0.5) / 0.25
    squares = torch.linalg.svdvals(rows.double()).square()
    shares = energies(network, alone, 0.9)["hidden.0"][0]["shares"]
    assert shares == pytest.approx((squares / squares.sum()).tolist(), rel=1e-5)


def test_fields_are_the_inputs_parts_in_the_protected_directions(network, points):
    subspace = estimate_subspace(network, stand_ins(points), [0, 2, 3], energy=0.9, tolerance=0.05)
    found = fields(network, subspace)
    inputs = (cells(THUMB).flatten(1) - 0.5) / 0.25
    for name, layer in weight_layers(network).items():
        basis = subspace.layers[name].basis[0]
        assert len(found[name]) == min(FELT, basis.shape[1])
        felt = inputs @ basis[:, 0]
        told = torch.frombuffer(bytearray(base64.b64decode(found[name][0])), dtype=torch.uint8).float()
        torch.testing.assert_close((told - 128) / 127, felt / felt.abs().max(), atol=0.005, rtol=0)
        inputs = (inputs @ layer.weight.T + layer.bias).clamp_min(0)
    assert set(map(len, fields(network, empty_subspace(network)).values())) == {0}


def test_gradient_parts_are_those_of_the_whole_gradient(network, points, forget):
    subspace = estimate_subspace(network, stand_ins(points), [0, 2, 3], energy=0.9, tolerance=0.05)
    labels = torch.full((len(forget), 4), 0.25)
    parts = gradient_parts(network, forget, labels, subspace)
    trained = copy.deepcopy(network).requires_grad_()
    F.cross_entropy(trained(to_pixels(forget.images)), labels).backward()
    for (kept, removed), (name, layer) in zip(parts, weight_layers(trained).items(), strict=True):
        basis = subspace.layers[name].basis[0]
        inside = (layer.weight.grad @ basis).norm().item()
        assert removed == pytest.approx(inside, rel=1e-4, abs=1e-6)
        assert kept**2 + removed**2 == pytest.approx(layer.weight.grad.square().sum().item(), rel=1e-4)
    free = gradient_parts(network, forget, labels, empty_subspace(network))
    assert [removed for _, removed in free] == [0.0] * 4
    assert all(parameter.grad is None for parameter in network.parameters())
