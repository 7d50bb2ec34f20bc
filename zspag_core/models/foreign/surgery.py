"""Find out what was built otherwise than a library does it, from names and shapes of the weights, and build it so.

Owners change heads (another number of classes, no bias, several layers), stems (3x3 for small images) and the number of
channels. What no weight shows, an activation between two new layers, is taken for ReLU and told.
"""

from __future__ import annotations

import itertools
import math
import re
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor, nn

from zspag_core.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_HEAD_LAYERS = 64
SQUARE_TABLES = ("pos_embed", "pos_embedding", "position_embeddings", "positional_embedding")


def head_name(network: nn.Module, classes: int) -> str | None:
    """Return the name of the last linear layer or convolution with one output a class, in the order of the modules."""
    names = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and len(module.weight) == classes
    ]
    return names[-1] if names else None


def differences(network: nn.Module, weights: Mapping[str, Tensor], classes: int) -> tuple[int, dict[str, Any]]:
    """Compare weights with the network that a library builds for `classes` classes.

    Args:
        network: as the library builds it; may be on the meta device.
        weights: the owner's.
        classes: number of classes that it was built for, one that no other layer has.

    Returns:
        The number of classes that the weights are for, and the changes that :func:`change` makes.
    """
    changes: dict[str, Any] = {}
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    head = head_name(network, classes)
    if head is None:
        return classes, changes
    count = classes
    if f"{head}.weight" in weights:
        layer = _layer(weights[f"{head}.weight"], bias=False)
        count = layer["out"]
        if f"{head}.bias" in expected and f"{head}.bias" not in weights:
            changes["head"] = {"name": head, "layers": [layer]}
    elif (replaced := _replaced_head(head, weights)) is not None:
        changes["head"], count = replaced
    if (replaced := _replaced_classifier(network, head, weights)) is not None:
        changes["head"], count = replaced
    changes |= _first_convolution(network, weights)
    return count, changes


def _replaced_head(head: str, weights: Mapping[str, Tensor]) -> tuple[dict[str, Any], int] | None:
    """Return how a head was replaced by a sequence of layers, or what it stood in by one layer; None if it was not."""
    if (sequence := _sequence(head, weights)) is not None:
        return sequence
    parent = head.rpartition(".")[0]
    if parent and f"{parent}.weight" in weights and weights[f"{parent}.weight"].ndim == 2:
        weight = weights[f"{parent}.weight"]
        return {"name": parent, "layers": [_layer(weight, bias=f"{parent}.bias" in weights)]}, len(weight)
    return None


def _replaced_classifier(
    network: nn.Module, head: str, weights: Mapping[str, Tensor]
) -> tuple[dict[str, Any], int] | None:
    """Return how the sequence of linear layers that the head ends was replaced by another; None if it was not."""
    parent = head.rpartition(".")[0]
    place = network.get_submodule(parent) if parent else None
    if not isinstance(place, nn.Sequential) or not all(isinstance(m, nn.Linear) for m in place if m._parameters):
        return None
    shapes = {
        name: tuple(t.shape) for name, t in place.state_dict(prefix=f"{parent}.").items() if name != f"{head}.bias"
    }
    given = {
        name: tuple(t.shape) for name, t in weights.items() if name.startswith(f"{parent}.") and name != f"{head}.bias"
    }
    alike = shapes.keys() == given.keys() and all(shapes[n][1:] == given[n][1:] for n in shapes)
    return None if alike else _sequence(parent, weights)


def _sequence(name: str, weights: Mapping[str, Tensor]) -> tuple[dict[str, Any], int] | None:
    """Return the numbered layers that weights have under a name, and the outputs of the last; None without any."""
    numbers = {
        int(found[1]) for key in weights if (found := re.fullmatch(rf"{re.escape(name)}\.(\d{{1,2}})\.weight", key))
    }
    if not numbers or max(numbers) >= MOST_HEAD_LAYERS:
        return None
    layers: list[dict[str, Any]] = [{} for _ in range(max(numbers) + 1)]
    for number in numbers:
        weight, start = weights[f"{name}.{number}.weight"], f"{name}.{number}."
        norm = weight.ndim == 1 and f"{start}running_mean" in weights
        layers[number] = {"norm": len(weight)} if norm else _layer(weight, bias=f"{start}bias" in weights)
    return {"name": name, "layers": layers}, len(weights[f"{name}.{max(numbers)}.weight"])


def _layer(weight: Tensor, *, bias: bool) -> dict[str, Any]:
    """Describe a linear layer, or a 1x1 convolution, of a head."""
    if weight.ndim not in {2, 4}:
        raise CheckpointError(f"expected a head of linear layers, got a weight of shape {tuple(weight.shape)}")
    return {"in": weight.shape[1], "out": weight.shape[0], "bias": bias, "conv": weight.ndim == 4}


def _first_convolution(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return how the first convolution differs: its channels, or a 3x3 kernel of stride 1 in place of a larger one."""
    first = next(((n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d)), None)
    if first is None or f"{first[0]}.weight" not in weights:
        return {}
    name, conv = first
    given, expected = tuple(weights[f"{name}.weight"].shape), tuple(conv.weight.shape)
    if len(given) != 4 or given == expected or given[0] != expected[0]:
        return {}
    stem: dict[str, Any] = {"name": name, "channels": given[1]}
    if given[2:] == (3, 3) and expected[2:] != (3, 3):
        stem["small"] = True
    elif given[2:] != expected[2:]:
        return {}
    return {"stem": stem}


def change(network: nn.Module, changes: Mapping[str, Any]) -> nn.Module:
    """Build changes that :func:`differences` found into a network, in place; return it.

    Raises:
        CheckpointError: they do not go with the network.
    """
    if not changes:
        return network
    try:
        if stem := changes.get("stem"):
            _change_stem(network, stem)
        if head := changes.get("head"):
            _put(network, str(head["name"]), _new_head(network, head))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"changes that do not go with the network: {error}") from None
    return network


def _change_stem(network: nn.Module, stem: Mapping[str, Any]) -> None:
    """Give the first convolution other channels, or the kernel for small images without the pooling after it."""
    name, channels = str(stem["name"]), int(stem["channels"])
    old = cast("nn.Conv2d", network.get_submodule(name))
    kernel, stride, padding = cast("tuple[Any, Any, Any]", (old.kernel_size, old.stride, old.padding))
    if stem.get("small"):
        kernel, stride, padding = 3, 1, 1
        if isinstance(getattr(network, "maxpool", None), nn.Module):
            network.add_module("maxpool", nn.Identity())
    new = type(old) if type(old) is nn.Conv2d else nn.Conv2d
    _put(
        network,
        name,
        new(channels, old.out_channels, kernel, stride, padding, groups=old.groups, bias=old.bias is not None),
    )


def _new_head(network: nn.Module, head: Mapping[str, Any]) -> nn.Module:
    """Return the layers of a replaced head; one alone takes its place as it is."""
    described: list[dict[str, Any]] = list(head["layers"])
    if len(described) == 1:
        return _built(described[0])
    modules: list[nn.Module] = [_built(layer) for layer in described]
    linear = [place for place, layer in enumerate(described) if "in" in layer]
    for before, after in itertools.pairwise(linear):
        free = next((place for place in range(before + 1, after) if not described[place]), None)
        if free is not None:
            modules[free] = nn.ReLU()
    return nn.Sequential(*modules)


def _built(layer: Mapping[str, Any]) -> nn.Module:
    """Return one layer of a head; what has no weights does nothing (dropout in eval mode does not, either)."""
    if "norm" in layer:
        return nn.BatchNorm1d(int(layer["norm"]))
    if "in" not in layer:
        return nn.Identity()
    if layer.get("conv"):
        return nn.Conv2d(int(layer["in"]), int(layer["out"]), 1, bias=bool(layer["bias"]))
    return nn.Linear(int(layer["in"]), int(layer["out"]), bias=bool(layer["bias"]))


def assumed_activation(changes: Mapping[str, Any]) -> bool:
    """Tell whether a changed head has an activation that no weight shows."""
    layers = changes.get("head", {}).get("layers", [])
    return sum("in" in layer for layer in layers) > 1


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place of another, in the place's mode."""
    parent, _, last = name.rpartition(".")
    place = network.get_submodule(parent)
    if last not in place._modules:
        raise AttributeError(f"no module is called {name!r}")
    place._modules[last] = module.train(place.training)


def side_of_tables(network: nn.Module, weights: Mapping[str, Tensor]) -> int | None:
    """Return the side in patches that position tables of the weights are for, where it is not the network's."""
    expected = network.state_dict()
    for name, tensor in weights.items():
        if name.rpartition(".")[2] in SQUARE_TABLES and name in expected and tensor.ndim >= 2:
            here, there = expected[name].shape[-2], tensor.shape[-2]
            extra = here - math.isqrt(here) ** 2
            side = math.isqrt(max(there - extra, 0))
            if here != there and side * side + extra == there:
                return side
    return None
