"""The weight layers of a network, seen as matrices: what enters each.

A linear layer computes W r for every input row r; a convolution does the same for every patch, one matrix a group.
Everything here speaks of inputs as rows (groups, rows, dim) and of weights as (groups, outputs / groups, dim).
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WeightLayer = nn.Linear | nn.Conv2d


def weight_layers(model: nn.Module) -> dict[str, WeightLayer]:
    """Return the layers whose weights may move, by name, in the order of the modules.

    Not those that a classifier says are `unmoved`: what they compute is not their weight times an input that is seen.
    """
    unmoved = getattr(model, "unmoved", ())
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and name not in unmoved
    }


def input_dim(layer: WeightLayer) -> int:
    """Return the length of one input row: features, or channels of a group times kernel height and width."""
    return layer.weight[0].numel()


def groups_of(layer: WeightLayer) -> int:
    """Return the number of groups; 1 for a linear layer."""
    return layer.groups if isinstance(layer, nn.Conv2d) else 1


def as_matrices(weight: Tensor, layer: WeightLayer) -> Tensor:
    """View a weight-shaped tensor as (groups, outputs / groups, dim)."""
    return weight.reshape(groups_of(layer), -1, input_dim(layer))


def input_rows(layer: WeightLayer, inputs: Tensor) -> Tensor:
    """Return what each output of the layer is a product of.

    Args:
        layer: linear layer or convolution (any padding, stride, dilation, groups).
        inputs: (..., features) or (N, C, H, W).

    Returns:
        (groups, rows, dim): for a convolution one row a patch.
    """
    if isinstance(layer, nn.Linear):
        return inputs.reshape(1, -1, inputs.shape[-1])
    if layer.kernel_size == (1, 1) and layer.padding == (0, 0):
        patches: Tensor = inputs[:, :, :: layer.stride[0], :: layer.stride[1]].flatten(2)
    else:
        patches = F.unfold(
            _padded(layer, inputs), layer.kernel_size, dilation=layer.dilation, padding=0, stride=layer.stride
        )  # (N, C * kh * kw, patches)
    rows: Tensor = patches.unflatten(1, (layer.groups, -1)).permute(1, 0, 3, 2)  # (groups, N, patches, dim)
    return rows.flatten(1, 2)


def output_of(layer: WeightLayer, weight: Tensor, inputs: Tensor) -> Tensor:
    """Return what the layer would compute with another weight and no bias.

    Args:
        layer: linear layer or convolution.
        weight: (outputs, ...), any number of outputs, else shaped like the layer's own.
        inputs: (..., features) or (N, C, H, W).
    """
    if isinstance(layer, nn.Linear):
        return F.linear(inputs, weight)
    outputs: Tensor = layer._conv_forward(inputs, weight, None)  # honours padding mode, stride, dilation and groups
    return outputs


def _padded(layer: nn.Conv2d, inputs: Tensor) -> Tensor:
    """Pad as the convolution would, whatever its padding mode."""
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return F.pad(inputs, layer._reversed_padding_repeated_twice, mode=mode)


@contextmanager
def watching(layers: dict[str, WeightLayer], see: Callable[[list[str], Tensor], None]) -> Iterator[None]:
    """While the block runs, call `see(names, rows)` for what enters the layers; hooks are removed even after an error.

    Layers that are given the very same tensor one after the other (q, k and v of an attention) are seen once, together,
    and only after the forward pass has gone on.
    """
    pending: list[tuple[list[str], nn.Module, Tensor]] = []

    def flush() -> None:
        for names, layer, inputs in pending:
            see(names, input_rows(cast("WeightLayer", layer), inputs))
        pending.clear()

    def hook_of(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if pending and pending[-1][2] is inputs[0] and _same_rows(pending[-1][1], module):
                pending[-1][0].append(name)
                return
            flush()
            pending.append(([name], module, inputs[0]))

        return hook

    with ExitStack() as hooks:
        for name, layer in layers.items():
            hooks.enter_context(layer.register_forward_pre_hook(hook_of(name)))
        yield
        flush()


def _same_rows(first: nn.Module, second: nn.Module) -> bool:
    """Tell whether two layers turn the same input into the same rows."""
    return isinstance(first, nn.Linear) and isinstance(second, nn.Linear)
