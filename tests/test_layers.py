from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from zspag_core.layers import as_matrices, groups_of, input_dim, input_rows, watching, weight_layers


def outputs(layer: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Return W @ rows, (outputs, rows), from the functions under test."""
    rows = input_rows(layer, images)
    matrices = as_matrices(layer.weight, layer)
    assert rows.shape[::2] == (groups_of(layer), input_dim(layer))
    return (matrices @ rows.transpose(1, 2)).flatten(0, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 3},
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": (3, 2), "padding": (2, 1), "stride": (2, 1)},
        {"kernel_size": 3, "padding": 2, "dilation": 2},
        {"kernel_size": 3, "padding": 3, "dilation": (1, 2), "stride": 2, "groups": 2},
        {"kernel_size": 3, "padding": 1, "groups": 4},
        {"kernel_size": 1},
        {"kernel_size": 1, "stride": 2},
        {"kernel_size": 1, "padding": 1},
        {"kernel_size": 1, "groups": 2, "stride": (1, 3)},
        {"kernel_size": 3, "padding": "same"},
        pytest.param(
            {"kernel_size": (2, 4), "padding": "same"}, marks=pytest.mark.filterwarnings("ignore:.*zero-padded copy")
        ),
        {"kernel_size": 3, "padding": "valid"},
        {"kernel_size": 1, "padding": "same"},
        {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
        {"kernel_size": 3, "padding": (1, 2), "padding_mode": "replicate"},
        {"kernel_size": (2, 3), "padding": (1, 2), "padding_mode": "circular", "groups": 2},
        {"kernel_size": 7, "padding": 3},
    ],
    ids=str,
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_weights_times_rows_is_the_convolution(settings, layout):
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, bias=False, **settings)
    images = torch.randn(3, 4, 7, 6).contiguous(memory_format=layout)
    expected = layer(images).permute(1, 0, 2, 3).flatten(1)
    torch.testing.assert_close(outputs(layer, images), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [(5, 6), (2, 3, 6), (2, 3, 2, 6)])
def test_weights_times_rows_is_the_linear_layer(shape):
    torch.manual_seed(0)
    layer = nn.Linear(6, 4, bias=False)
    inputs = torch.randn(shape)
    torch.testing.assert_close(outputs(layer, inputs), layer(inputs).reshape(-1, 4).T)


def test_one_row_of_the_matrix_is_one_filter():
    layer = nn.Conv2d(4, 6, 3, groups=2)
    matrices = as_matrices(layer.weight, layer)
    assert matrices.shape == (2, 3, 18)
    assert torch.equal(matrices[1, 2], layer.weight[5].flatten())
    assert torch.equal(matrices.reshape(layer.weight.shape), layer.weight)


def test_every_weight_layer_is_listed_in_order_and_nothing_else(odd_model, small_vit):
    assert list(weight_layers(odd_model)) == ["first", "grouped", "mixed", "reflected", "hidden", "head"]
    names = ["attention.q", "attention.k", "attention.v", "attention.out", "up", "down"]
    blocks = [f"blocks.{index}.{name}" for index in range(2) for name in names]
    assert list(weight_layers(small_vit)) == ["patches", *blocks, "head"]


def seen_by(model: nn.Module, images: torch.Tensor) -> list[tuple[list[str], torch.Tensor]]:
    seen = []
    with watching(weight_layers(model), lambda names, rows: seen.append((list(names), rows.clone()))), torch.no_grad():
        model(images)
    return seen


def test_every_layer_is_seen_once_with_what_it_really_computes(odd_model, state_of, assert_untouched):
    images = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    layers, before, computed = weight_layers(odd_model), state_of(odd_model), {}
    hooks = [layer.register_forward_hook(lambda _m, _i, out, name=name: computed.update({name: out}))
             for name, layer in layers.items()]  # fmt: skip
    seen = seen_by(odd_model, images)
    for hook in hooks:
        hook.remove()
    assert [names for names, _ in seen] == [[name] for name in layers]
    for (name,), rows in seen:
        layer = layers[name]
        values = (as_matrices(layer.weight, layer) @ rows.transpose(1, 2)).flatten(0, 1) + layer.bias[:, None]
        found = computed[name] if computed[name].ndim == 2 else computed[name].permute(0, 2, 3, 1).flatten(0, 2)
        torch.testing.assert_close(values.T, found, atol=1e-5, rtol=1e-5)
    assert_untouched(odd_model, before)


def test_q_k_and_v_are_seen_together_and_the_other_layers_alone(small_vit):
    seen = seen_by(small_vit, torch.rand(3, 1, 8, 8))
    groups = [names for names, _ in seen]
    for block in ("blocks.0", "blocks.1"):
        assert [f"{block}.attention.{part}" for part in "qkv"] in groups
        assert [f"{block}.attention.out"] in groups
    assert sorted(name for names in groups for name in names) == sorted(weight_layers(small_vit))
    rows = dict(zip(map(tuple, groups), (rows for _, rows in seen), strict=True))
    assert rows[tuple(f"blocks.0.attention.{part}" for part in "qkv")].shape == (1, 3 * 5, 12)


class Fork(nn.Module):
    """Convolutions of different kinds over the very same input."""

    def __init__(self):
        super().__init__()
        self.wide, self.narrow = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(2, 3, 1)

    def forward(self, x):
        return self.wide(x) + self.narrow(x)


def test_layers_that_make_other_rows_of_the_same_input_are_seen_apart():
    model, seen = Fork(), []
    with watching(weight_layers(model), lambda names, rows: seen.append((names[:], rows.shape))):
        model(torch.randn(2, 2, 4, 4))
    assert seen == [(["wide"], (1, 32, 18)), (["narrow"], (1, 32, 2))]


@pytest.mark.parametrize("where", ["the model", "the watcher"])
def test_hooks_are_removed_after_an_error(odd_model, state_of, assert_untouched, where):
    before = state_of(odd_model)

    def see(_names, _rows):
        if where == "the watcher":
            raise RuntimeError(where)

    def forward():
        odd_model(torch.rand(1, 1, 8, 8))
        raise RuntimeError(where)

    with pytest.raises(RuntimeError, match=where), watching(weight_layers(odd_model), see):
        forward()
    assert_untouched(odd_model, before)


def test_a_convolution_of_functional_agrees_for_a_grouped_strided_case_by_hand():
    layer = nn.Conv2d(2, 2, 2, stride=2, groups=2, bias=False)
    images = torch.arange(32.0).view(1, 2, 4, 4)
    rows = input_rows(layer, images)
    assert rows.shape == (2, 4, 4)
    assert rows[0, 0].tolist() == [0, 1, 4, 5]
    assert rows[1, 3].tolist() == [26, 27, 30, 31]
    expected = F.conv2d(images, layer.weight, stride=2, groups=2).flatten(2)[0]
    torch.testing.assert_close(torch.einsum("gpd,gd->gp", rows, layer.weight.flatten(1)), expected)
