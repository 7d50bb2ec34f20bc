"""What a network keeps between two calls beside weights and buffers, such as timm's tables of attention biases.

It belongs to the weights of the call that made it, holds that call's graph, and keeps the network from being copied.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Absent:
    """In the place of an attribute that is not there before the first call; a copy of a class is the class itself."""


class Kept(NamedTuple):
    """An attribute in which a module keeps what a call made.

    Attributes:
        module: the module's name.
        name: the attribute's.
        value: what it holds before the first call; :class:`Absent` where there is none.
    """

    module: str
    name: str
    value: Any


def attributes_of(network: nn.Module) -> dict[tuple[str, str], Any]:
    """Return (module, attribute) -> value of all but weights, buffers and submodules; tables and lists are copied."""
    return {
        (name, key): copy.copy(value) if isinstance(value, dict | list) else value
        for name, module in network.named_modules()
        for key, value in vars(module).items()
        if not key.startswith("_") and key != "training"
    }


def kept_by_calls(network: nn.Module, before: Mapping[tuple[str, str], Any]) -> tuple[Kept, ...]:
    """Return where a network keeps tensors of its last calls.

    Args:
        network: called since.
        before: its attributes before the calls.
    """
    return tuple(
        Kept(*place, _without_graph(before.get(place, Absent)))
        for place, value in attributes_of(network).items()
        if any(True for _ in _tensors(value)) and not _same(before.get(place, Absent), value)
    )


def drop(network: nn.Module, kept: Iterable[Kept]) -> None:
    """Put a network's attributes back to what they held before its first call."""
    for place, name, value in kept:
        module = network.get_submodule(place)
        if value is not Absent:
            setattr(module, name, copy.copy(value) if isinstance(value, dict | list) else value)
        elif hasattr(module, name):
            delattr(module, name)


def copied(network: nn.Module) -> nn.Module:
    """Return a copy of a network that may have been called, without what it keeps of those calls where it drops it.

    Networks that keep tables for evaluation drop them when they are told to train.
    """
    called = {
        id(tensor): tensor.detach().clone()
        for module in network.modules()
        for value in vars(module).values()
        for tensor in _tensors(value)
        if not tensor.is_leaf
    }
    twin = copy.deepcopy(network, called)
    twin.train()
    for own, other in zip(twin.modules(), network.modules(), strict=True):
        own.training = other.training
    return twin


def _tensors(value: object) -> Iterable[Tensor]:
    """Yield the tensors that a value is or holds."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from (one for one in value.values() if isinstance(one, Tensor))
    elif isinstance(value, list | tuple):
        yield from (one for one in value if isinstance(one, Tensor))


def _without_graph(value: object) -> object:
    """Return a value whose tensors hold no graph of the call that made them."""
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, dict):
        return {key: _without_graph(one) for key, one in value.items()}
    return [_without_graph(one) for one in value] if isinstance(value, list) else value


def _same(one: object, other: object) -> bool:
    """Tell whether two values hold the same tensors, not equal ones."""
    return type(one) is type(other) and [*map(id, _tensors(one))] == [*map(id, _tensors(other))]
