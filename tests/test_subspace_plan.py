from __future__ import annotations

import pytest
import torch

from zspag_core import subspace_plan
from zspag_core.layers import input_rows, weight_layers
from zspag_core.models import build
from zspag_core.models.resnet import ResNetConfig
from zspag_core.subspace_plan import Input, SubspacePlan, look, plan_subspace

R50 = {"widths": (64, 128, 256, 512), "blocks": (3, 4, 6, 3), "bottleneck": True, "imagenet_stem": True}


def test_a_look_says_what_enters_every_layer(odd_model):
    layers, seen = weight_layers(odd_model), {}
    handles = [
        layer.register_forward_pre_hook(
            lambda module, inputs, name=name: seen.update({name: input_rows(module, inputs[0]).shape})
        )
        for name, layer in layers.items()
    ]
    image = torch.rand(1, 1, 8, 8)
    found = {name: one for one in look(odd_model, layers, image) for name in one.layers}
    for handle in handles:
        handle.remove()
    assert {name: (one.groups, one.rows, one.dim) for name, one in found.items()} == {
        name: tuple(shape) for name, shape in seen.items()
    }


def test_layers_with_one_input_stay_together(small_vit):
    together = max(look(small_vit, weight_layers(small_vit), torch.rand(1, 1, 8, 8)), key=lambda one: len(one.layers))
    assert len(together.layers) == 3  # q, k and v
    plan = plan_subspace(small_vit, weight_layers(small_vit), torch.rand(2, 1, 8, 8), 3, 100, room=1)
    assert any(set(together.layers) == set(part) for part in plan.parts)
    assert {name for part in plan.parts for name in part} == set(weight_layers(small_vit))


def test_bytes_of_a_moment_and_of_rows():
    one = Input(("a",), groups=2, rows=10, dim=30)
    assert one.moment_bytes == 8 * 2 * 30 * 30
    assert one.row_bytes == 8 * 2 * 10 * 30


@pytest.mark.parametrize("room", [1, 100_000, 10**12])
def test_groups_fit_the_room_or_are_a_single_input(odd_model, room):
    layers, images = weight_layers(odd_model), torch.rand(3, 1, 8, 8)
    taken = {name: 2 * one.moment_bytes for one in look(odd_model, layers, images[:1]) for name in one.layers}
    plan = plan_subspace(odd_model, layers, images, 4, 100, room=room)
    assert [name for part in plan.parts for name in part] == list(taken)
    assert all(len(part) == 1 or sum(taken[name] for name in part) <= room for part in plan.parts)
    assert plan.bytes == sum(taken.values())
    assert plan.batch == 100
    assert (plan.seconds, plan.sentences()) == (0.0, [])


@pytest.fixture(scope="module")
def resnet50():
    return build(ResNetConfig(image_size=224, num_classes=1000, **R50)).eval()


@pytest.mark.slow
def test_a_resnet50_of_224_pixels_and_1000_classes_by_a_dry_run(resnet50):
    layers = weight_layers(resnet50)
    plan = plan_subspace(resnet50, layers, torch.rand(1, 3, 224, 224), 1, 100)
    assert plan.bytes == sum(16 * layer.weight[0].numel() ** 2 for layer in layers.values())
    assert len(plan.parts) > 1
    held = [sum(16 * layer.weight[0].numel() ** 2 for layer in part.values()) for part in plan.parts]
    assert max(held) <= subspace_plan.ROOM
    assert plan.batch == 7
    assert "GB; the layers are taken in" in plan.sentences()[0]


def test_long_work_is_told_before_it_begins(monkeypatch):
    assert SubspacePlan(({},), 100, 0, 119.0).sentences() == [
        "finding the protected directions will take about 2 minutes here"
    ]
    assert SubspacePlan(({},), 100, 3 * 10**9, 0.0).sentences() == ["second moments of all layers' inputs take 3.0 GB"]
    monkeypatch.setattr(subspace_plan, "TRIVIAL", 0.0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
    plans = [plan_subspace(model, weight_layers(model), torch.rand(count, 1, 8, 8), 5, 100) for count in (1, 10**4)]
    assert 0 < plans[0].seconds < 1
    assert plans[1].seconds > 0
