"""Which layers write a stage's output, and which layer reads it first: found by trying, in any network with BatchNorm.

A convolution with its BatchNorm writes a stage where that stage's output is f(y + s): y is what BatchNorm puts out, s
is whatever the network adds (a shortcut, nothing), f an activation that leaves large numbers as they are. So a large
number that is added to BatchNorm's bias comes out at the end of the stage as it is, and what is left when it is taken
off again stood before the activation. A stage that is written in another way (gated afterwards, joined of several
parts, normed without running statistics) does not come out so and is not served.
"""

from __future__ import annotations

import copy
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zspag_core.erasing.dry_run import DryRun, dry_run, noise
from zspag_core.errors import UsageError
from zspag_core.models.base import evaluating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zspag_core.models import Classifier

HIGH = 16.0  # times the largest output: what a bias is lifted by
SMOOTH = 32.0  # where smooth activations are their argument, to float32's last digit
CLOSE = 1e-4  # of the largest output
LATEST = 6  # convolutions before a stage's end that are tried
EXPECTED = (
    "Stage-wise erasure: expected a network in which a convolution and its BatchNorm write the output of one of the "
    "last stages, as in a ResNet"
)


@dataclass(frozen=True)
class Activation:
    """What a stage ends with.

    Attributes:
        name: of the function.
        apply: the function, elementwise.
        high: from which argument on it returns its argument.
    """

    name: str
    apply: Callable[[Tensor], Tensor]
    high: float = 0.0


ACTIVATIONS = (
    Activation("relu", F.relu),
    Activation("none", lambda given: given),
    *(Activation(f"leaky relu {s}", partial(F.leaky_relu, negative_slope=s)) for s in (0.01, 0.1, 0.2)),
    Activation("elu", F.elu),
    Activation("hardswish", F.hardswish, SMOOTH),
    Activation("silu", F.silu, SMOOTH),
    Activation("gelu", F.gelu, SMOOTH),
    Activation("mish", F.mish, SMOOTH),
)


@dataclass(frozen=True)
class Pair:
    """A convolution without groups and the BatchNorm that reads it alone, by their names in the classifier."""

    conv: str
    norm: str

    def layers(self, model: Classifier) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
        """Return both in a classifier, the one in which they were found or a copy."""
        return cast("nn.Conv2d", model.get_submodule(self.conv)), cast("nn.BatchNorm2d", model.get_submodule(self.norm))


@dataclass(frozen=True)
class Written:
    """A stage whose output is an activation of the sum of what some convolutions write and whatever else is added.

    Attributes:
        name: of the stage, as in `cam_layers`.
        writers: the convolutions; of a ResNet's first block in a stage the last one and the shortcut's.
        activation: what the stage ends with.
        reader: a 1x1 convolution with at least as many outputs as inputs that reads the stage's output; may be None.
        above: the modules that have weights and are called after the stage, without the head, by name.
    """

    name: str
    writers: tuple[Pair, ...]
    activation: Activation
    reader: Pair | None
    above: tuple[str, ...]

    @contextmanager
    def lifted(self, model: Classifier, lift: float) -> Iterator[None]:
        """Add a number to the first writer's bias while the block runs."""
        _, norm = self.writers[0].layers(model)
        with _lifted(norm, lift):
            yield


@dataclass(frozen=True)
class Stage:
    """A place of `cam_layers`, its name and how it is written; None where it is not known how."""

    name: str
    written: Written | None


def last_stages(model: Classifier, depth: int) -> list[Stage]:
    """Return the last stages, from input to output, found by sending noise through a copy of the network.

    Args:
        model: any classifier; left as it was.
        depth: so many; a place that is only the pooled output of another counts as none.

    Raises:
        UsageError: there are fewer, or none of them can be erased: there is no BatchNorm, or they are written in
            another way.
    """
    if not any(_remembers(module) for module in model.modules()):
        raise UsageError(f"{EXPECTED}, got {_called(model)} without BatchNorm")
    model = copy.deepcopy(model)
    seen = dry_run(model)
    pairs, places = _pairs(model, seen), _places(model, seen)
    if depth > len(places):
        raise UsageError(f"depth: expected at most {len(places)}, the stages of this network, got {depth}")
    found = [Stage(name, _written(model, name, where, pairs, seen)) for name, where in places[-depth:]]
    if not any(stage.written for stage in found):
        names = ", ".join(stage.name for stage in found)
        raise UsageError(f"{EXPECTED}, got {_called(model)}, whose last ones ({names}) are written in another way")
    return found


def _called(model: Classifier) -> str:
    return model.config.source_name or model.architecture


def _places(model: Classifier, seen: DryRun) -> list[tuple[str, str]]:
    """Return the places that weights stand between, from the input on: names in `cam_layers` and in the classifier."""
    names = {module: name for name, module in model.named_modules()}
    known = [(name, names[place]) for name, place in model.cam_layers.items()]
    known = [(name, where) for name, where in known if seen.calls[where] == 1 and where in seen.outputs]
    weighty = [seen.started[name] for name, module in model.named_modules() if name in seen.started and _weighs(module)]
    found, before = list[tuple[str, str]](), 0
    for name, where in known:
        if any(before <= start < seen.ended[where] for start in weighty):
            found.append((name, where))
            before = seen.ended[where]
    return found


def _weighs(module: nn.Module) -> bool:
    """Tell whether a module has weights of its own."""
    return any(weight is not None for weight in module._parameters.values())


def _pairs(model: Classifier, seen: DryRun) -> list[Pair]:
    """Return every pair of a plain convolution and its BatchNorm, each called once, in the order of the calls."""
    modules = dict(model.named_modules())
    once = [name for name in seen.started if seen.calls[name] == 1]
    norms = {id(seen.inputs[name]): name for name in once if _remembers(modules[name]) and name in seen.inputs}
    return [
        Pair(name, norms[id(seen.outputs[name])])
        for name in once
        if _is_plain(modules[name]) and id(seen.outputs.get(name)) in norms
    ]


def _remembers(module: nn.Module) -> bool:
    """Tell whether a module is a BatchNorm with running statistics and weights of its own."""
    return isinstance(module, nn.BatchNorm2d) and module.running_mean is not None and module.affine


def _is_plain(module: nn.Module) -> bool:
    """Tell whether a module is a convolution whose outputs all see all inputs, with zeros beyond the edge."""
    return (
        isinstance(module, nn.Conv2d)
        and module.groups == 1
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )


def _written(model: Classifier, name: str, where: str, pairs: list[Pair], seen: DryRun) -> Written | None:
    """Return how a stage is written; None if it is in another way."""
    place, end, shape = model.get_submodule(where), seen.ended[where], seen.outputs[where].shape
    near = [p for p in pairs if seen.outputs[p.norm].shape == shape and seen.started[p.conv] < end][-LATEST:]
    output = _output(model, place)
    found = [(pair, kind) for pair in near if (kind := _activation(model, place, pair, output)) is not None]
    writers = tuple(pair for pair, _ in found)
    if not found or not _can_be_folded(model, place, writers, output):
        return None
    return Written(name, writers, found[0][1], _reader(model, pairs, seen, where), _above(model, seen, end))


@torch.no_grad()
def _can_be_folded(model: Classifier, place: nn.Module, writers: tuple[Pair, ...], output: Tensor) -> bool:
    """Tell whether a stage says the same when its writers are folded: nobody else reads the convolutions."""
    layers = [layer for pair in writers for layer in pair.layers(model)]
    before = [copy.deepcopy(layer.state_dict()) for layer in layers]
    for pair in writers:
        overwrite(*pair.layers(model), *folded(*pair.layers(model)))
    apart = _output(model, place) - output
    for layer, state in zip(layers, before, strict=True):
        layer.load_state_dict(state)
    return float(apart.abs().max()) <= CLOSE * float(output.abs().max())


@torch.no_grad()
def _output(model: Classifier, place: nn.Module) -> Tensor:
    """Return what leaves a module when noise is looked at."""
    kept: list[Tensor] = []
    with evaluating(model), place.register_forward_hook(lambda _m, _i, output: kept.append(output.clone())):
        model(noise(model))
    return kept[0]


def _activation(model: Classifier, place: nn.Module, pair: Pair, output: Tensor) -> Activation | None:
    """Return what a stage ends with if a pair writes it; None if it does not."""
    largest = float(output.abs().max())
    if not 0 < largest < float("inf"):
        return None
    _, norm = pair.layers(model)
    for high in (0.0, SMOOTH):
        lift = HIGH * largest + high
        with _lifted(norm, lift):
            before = _output(model, place) - lift
        for kind in ACTIVATIONS:
            if kind.high == high and float((kind.apply(before) - output).abs().max()) <= CLOSE * largest:
                return kind
    return None


@contextmanager
def _lifted(norm: nn.BatchNorm2d, lift: float) -> Iterator[None]:
    """Add a number to a BatchNorm's bias while the block runs."""
    bias = norm.bias.detach().clone()
    with torch.no_grad():
        norm.bias.add_(lift)
    try:
        yield
    finally:
        with torch.no_grad():
            norm.bias.copy_(bias)


def _reader(model: Classifier, pairs: list[Pair], seen: DryRun, where: str) -> Pair | None:
    """Return the first 1x1 convolution with at least as many outputs as inputs that reads the output of a module."""
    for pair in pairs:
        conv, _ = pair.layers(model)
        reads = seen.inputs.get(pair.conv) is seen.outputs[where]
        if reads and conv.kernel_size == (1, 1) and conv.padding == (0, 0) and conv.out_channels >= conv.in_channels:
            return pair
    return None


def _above(model: Classifier, seen: DryRun, end: int) -> tuple[str, ...]:
    """Return the modules with weights of their own that are first called after a place, but the head."""
    return tuple(
        name
        for name, module in model.named_modules()
        if seen.started.get(name, -1) >= end and _weighs(module) and module is not model.head
    )


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return weight and bias, float64 on the CPU, of a convolution together with its BatchNorm."""
    mean, variance = (cast("Tensor", part).cpu().double() for part in (norm.running_mean, norm.running_var))
    gain = norm.weight.detach().cpu().double() / (variance + norm.eps).sqrt()
    own = 0.0 if conv.bias is None else conv.bias.detach().cpu().double()
    bias = norm.bias.detach().cpu().double() + gain * (own - mean)
    return conv.weight.detach().cpu().double() * gain[:, None, None, None], bias


@torch.no_grad()
def overwrite(conv: nn.Conv2d, norm: nn.BatchNorm2d, weight: Tensor, bias: Tensor) -> None:
    """Give a convolution a weight and make its BatchNorm do nothing but add a bias."""
    conv.weight.copy_(weight)
    if conv.bias is not None:
        conv.bias.zero_()
    cast("Tensor", norm.running_mean).zero_()
    cast("Tensor", norm.running_var).fill_(1.0)
    norm.weight.fill_((1.0 + norm.eps) ** 0.5)
    norm.bias.copy_(bias)
