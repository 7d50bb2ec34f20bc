"""One dry run through a network that is not ours: which weights may move, where its head is, where maps can be seen."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zspag_core.devices import device_of, plain_attention
from zspag_core.errors import CheckpointError
from zspag_core.layers import output_of
from zspag_core.models.base import evaluating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DRY_IMAGES = 2
PREFIX_TOKENS = (0, 1, 2, 5)
"""Class tokens, distillation tokens and registers in front of the patches' tokens, as networks of timm have them."""
DEPTHS = 4
"""Of many places of one resolution (a transformer's blocks), so many are offered."""
FEWEST_PLACES = 2


@dataclass(frozen=True)
class Census:
    """What became of every linear layer and convolution of a network in one forward pass.

    Attributes:
        moving: layers whose output is W x + b of an input that a hook sees, and whose weight is used nowhere else, with
            how often they were called; steps may move these.
        unmoved: the others -> why not, in a few words.
    """

    moving: dict[str, int]
    unmoved: dict[str, str]


@dataclass(frozen=True)
class Anatomy:
    """What a dry run shows.

    Attributes:
        head: name of the last layer with one output a class.
        classes: number of logits.
        census: of all weight layers.
        maps: names of the modules whose outputs GradCAM can draw, from shallow to deep.
    """

    head: str
    classes: int
    census: Census
    maps: tuple[str, ...]


def logits_in(output: object) -> Tensor:
    """Return the logits (N, classes) in whatever a network returned: a tensor, `.logits`, a dictionary, a tuple.

    Raises:
        CheckpointError: there are none.
    """
    for found in _candidates(output):
        if isinstance(found, Tensor) and found.ndim == 2:
            return found
        if isinstance(found, Tensor) and found.ndim == 4 and found.shape[2:] == (1, 1):
            return found.flatten(1)
    what = f"a tensor of shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
    raise CheckpointError(f"expected a classifier that returns logits of shape (N, classes), got {what}")


def _candidates(output: object) -> Iterator[object]:
    """Yield what may be the logits, the likeliest first."""
    yield output
    if (logits := getattr(output, "logits", None)) is not None:
        yield logits
    if isinstance(output, Mapping):
        yield from (output[key] for key in ("logits", "out", "output", "pred", "prediction") if key in output)
        yield from output.values()
    elif isinstance(output, list | tuple):
        yield from output


def examine(network: nn.Module, images: Tensor, *, classes: int | None = None) -> Anatomy:
    """Send images through a network and note what happens.

    Args:
        network: its modes, gradients and hooks are left as they were.
        images: (N, C, H, W) as the network itself takes them, normalised.
        classes: number of logits where that is known.

    Raises:
        CheckpointError: it is no image classifier: it fails on such images, or its logits come from no last layer.
    """
    seen = _Seen()
    with evaluating(network), seen.watching(network):
        logits = logits_in(_answer(network, images))
    count = logits.shape[1]
    if classes is not None and count != classes:
        raise CheckpointError(f"expected {classes} logits, the network gives {count}")
    head = _head_of(network, seen, count)
    return Anatomy(head, count, _census(network, seen), _map_names(network, images, seen, head))


def _answer(network: nn.Module, images: Tensor) -> object:
    """Return what the network says of images, and refuse one that cannot."""
    try:
        with torch.no_grad(), plain_attention(images.device):
            return network(images)
    except (RuntimeError, ValueError, TypeError, AssertionError, AttributeError, LookupError, ArithmeticError) as error:
        words = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"fails on images of shape {tuple(images.shape[1:])}: {words[:300]}; another image size or number of "
            "channels may be what it takes"
        ) from None


@dataclass
class _Seen:
    """What a forward pass showed.

    Attributes:
        order: names of linear layers and convolutions, as often as they were called.
        faithful: layer -> whether W x + b gave its output, every time.
        widths: layer -> size of the channel dimension of its output.
        outside: names of weights that were used while their own layer was not at work.
        outputs: name of a module -> shape of its output, in the order in which they ended.
    """

    order: list[str] = field(default_factory=list)
    faithful: dict[str, bool] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)
    outside: set[str] = field(default_factory=set)
    outputs: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @contextmanager
    def watching(self, network: nn.Module) -> Iterator[None]:
        """Watch every module while the block runs."""
        working: list[nn.Module] = []
        with ExitStack() as stack:
            for name, module in network.named_modules():
                stack.enter_context(module.register_forward_pre_hook(lambda m, _i: working.append(m)))
                stack.enter_context(module.register_forward_hook(self._hook_of(name, working), always_call=True))
            stack.enter_context(_Uses(network, working, self.outside))
            yield

    def _hook_of(self, name: str, working: list[nn.Module]) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
            working.pop()
            if not isinstance(output, Tensor):
                return
            self.outputs.pop(name, None)
            self.outputs[name] = tuple(output.shape)
            if isinstance(module, nn.Linear | nn.Conv2d) and inputs:
                self.order.append(name)
                working.append(module)  # what follows is a use of the weight by its own layer
                self.faithful[name] = self.faithful.get(name, True) and _is_plain(module, inputs[0], output)
                working.pop()
                self.widths[name] = output.shape[-1 if isinstance(module, nn.Linear) else 1]

        return hook


class _Uses(TorchFunctionMode):
    """Notes weights of linear layers and convolutions that are used while another module is at work."""

    def __init__(self, network: nn.Module, working: list[nn.Module], outside: set[str]) -> None:
        super().__init__()
        self.working, self.outside = working, outside
        self.owner: dict[int, tuple[str, nn.Module]] = {}
        for name, module in network.named_modules():
            weight = module._parameters.get("weight")
            if isinstance(module, nn.Linear | nn.Conv2d) and weight is not None:
                self.owner.setdefault(id(weight), (name, module))

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function returns
        named = kwargs or {}
        if getattr(func, "__name__", "") not in {"__get__", "__set__"}:  # a look at its shape is no use
            for value in (*args, *named.values()):
                self._note(value)
        return func(*args, **named)

    def _note(self, value: object) -> None:
        for part in value if isinstance(value, list | tuple) else (value,):
            if id(part) in self.owner:
                name, module = self.owner[id(part)]
                if not self.working or self.working[-1] is not module:
                    self.outside.add(name)


def _is_plain(layer: nn.Linear | nn.Conv2d, inputs: Tensor, output: Tensor) -> bool:
    """Tell whether a layer's output is its weight applied to its input, and its bias."""
    plain = output_of(layer, layer.weight, inputs)
    if plain.shape != output.shape:
        return False
    if layer.bias is not None:
        plain = plain + (layer.bias if isinstance(layer, nn.Linear) else layer.bias[:, None, None])
    scale = float(output.abs().max())
    return bool(torch.allclose(plain, output, rtol=1e-3, atol=1e-4 * scale + 1e-12))


def _census(network: nn.Module, seen: _Seen) -> Census:
    """Sort the weight layers."""
    times = Counter(seen.order)
    users = Counter(id(weight) for module in network.modules() for weight in module._parameters.values())
    moving: dict[str, int] = {}
    unmoved: dict[str, str] = {}
    for name, module in network.named_modules():
        if not isinstance(module, nn.Linear | nn.Conv2d):
            continue
        reason = _reason(name, module, seen, users)
        if reason:
            unmoved[name] = reason
        else:
            moving[name] = times[name]
    return Census(moving, unmoved)


def _reason(name: str, module: nn.Module, seen: _Seen, users: Mapping[int, int]) -> str:
    """Say why a layer's weight may not move; nothing where it may."""
    weight = module._parameters.get("weight")
    if weight is None:
        return "its weight is computed from others"
    if users[id(weight)] > 1:
        return "it shares its weight with another layer"
    if name in seen.outside:
        return "its weight is used outside of it"
    if name not in seen.faithful:
        return "it is never called"
    if not seen.faithful[name]:
        return "it changes its weight or its input before it uses them"
    return ""


def _head_of(network: nn.Module, seen: _Seen, classes: int) -> str:
    """Return the name of the last linear layer or 1x1 convolution with one output a class.

    Raises:
        CheckpointError: there is none.
    """
    for name in reversed(seen.order):
        module = network.get_submodule(name)
        if seen.widths[name] == classes and (isinstance(module, nn.Linear) or _is_pointwise(module)):
            return name
    raise CheckpointError(f"expected a network that ends in a linear layer or 1x1 convolution with {classes} outputs")


def _is_pointwise(module: nn.Module) -> bool:
    """Tell whether a module is a 1x1 convolution without groups."""
    return isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.groups == 1


def as_map(output: Tensor) -> Tensor | None:
    """Return an output as a square map (N, C, h, h): of that shape, (N, h, h, C), or tokens (N, T, C) that make one.

    None for anything else.
    """
    if output.ndim == 4:
        _, first, second, third = output.shape
        if second == third:
            return output
        return output.permute(0, 3, 1, 2) if first == second else None
    if output.ndim == 3:
        for prefix in PREFIX_TOKENS:
            side = math.isqrt(max(output.shape[1] - prefix, 0))
            if side >= FEWEST_PLACES and side * side + prefix == output.shape[1]:
                map_of_tokens: Tensor = output[:, prefix:].transpose(1, 2).unflatten(2, (side, side))
                return map_of_tokens
    return None


def _map_names(network: nn.Module, images: Tensor, seen: _Seen, head: str) -> tuple[str, ...]:
    """Return where maps can be drawn: the last place of every resolution, or some of many with the same one."""
    before_head = list(seen.outputs)
    before_head = before_head[: before_head.index(head)] if head in before_head else before_head
    whole = [name for name in before_head if name and seen.outputs[name][:1] == (len(images),)]  # no windows of them
    sizes = {name: _map_size(seen.outputs[name]) for name in whole}
    places = [name for name, size in sizes.items() if size is not None and not _holds(name, head)]
    felt = _felt(network, images, places)
    by_size: dict[tuple[int, ...], list[str]] = {}
    for name in places:
        if name in felt:
            by_size.setdefault(sizes[name] or (), []).append(name)
    if len(by_size) == 1:  # tokens of one resolution: some of the blocks
        (names,) = by_size.values()
        blocks = _blocks_in(names)
        every = math.ceil(len(blocks) / DEPTHS)
        return tuple(reversed(blocks[::-1][::every]))
    return tuple(sorted((_outermost(names)[-1] for names in by_size.values()), key=places.index))


def _outermost(names: list[str]) -> list[str]:
    """Return the names with the fewest dots: stages rather than what stands inside of the next one."""
    fewest = min(name.count(".") for name in names)
    return [name for name in names if name.count(".") == fewest]


def _blocks_in(names: list[str]) -> list[str]:
    """Return, of places of one resolution, the outermost whose names differ by a number alone; else all."""
    patterns: dict[str, list[str]] = {}
    for name in names:
        patterns.setdefault(re.sub(r"\d+", "*", name), []).append(name)
    repeated = [found for found in patterns.values() if len(found) > 1]
    return min(repeated, key=lambda found: (found[0].count("."), -len(found)), default=names)


def _map_size(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Return height and width of the map that an output of this shape is, None where it is none."""
    if len(shape) not in {3, 4}:
        return None
    found = as_map(torch.empty(shape, device="meta"))
    if found is None or min(found.shape[2:]) < FEWEST_PLACES:
        return None
    return found.shape[2], found.shape[3]


def _holds(name: str, head: str) -> bool:
    """Tell whether a module holds the head: its output is the logits, not a map."""
    return head.startswith(f"{name}.")


def _felt(network: nn.Module, images: Tensor, names: list[str]) -> set[str]:
    """Return the places that the logits depend on: a last block's patches are often dropped after it."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda _module, _inputs, output: outputs.update({name: output})

    leaf = images[:1].detach().clone().requires_grad_()
    with evaluating(network), torch.enable_grad(), plain_attention(images.device), ExitStack() as hooks:
        for name in names:
            hooks.enter_context(network.get_submodule(name).register_forward_hook(keep(name)))
        logits = logits_in(network(leaf))
        tracked = [name for name in outputs if outputs[name].requires_grad]
        slopes = torch.autograd.grad(logits.square().sum(), [outputs[name] for name in tracked], allow_unused=True)
    return {name for name, slope in zip(tracked, slopes, strict=True) if slope is not None and _any_place(slope)}


def _any_place(slope: Tensor) -> bool:
    """Tell whether a gradient is more than zero at some place of the map."""
    found = as_map(slope)
    return found is not None and bool(found.abs().max() > 0)


def dry_images(channels: int, size: int, network: nn.Module, mean: Tensor, std: Tensor) -> Tensor:
    """Return a few images (N, C, size, size) of noise, normalised, for a dry run."""
    noise = torch.rand(DRY_IMAGES, channels, size, size, generator=torch.Generator().manual_seed(0))
    return (noise.to(device_of(network)) - mean) / std
