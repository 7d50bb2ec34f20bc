"""Infer the sizes of one of our networks from the names and shapes of its weights."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from zspag_core.errors import CheckpointError
from zspag_core.models.vgg import POOL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor


def shape_of(weights: Mapping[str, Tensor], name: str, dims: int) -> tuple[int, ...]:
    """Return the shape of a tensor that must be there, with the number of dimensions that it must have.

    Raises:
        CheckpointError: missing, empty, or of another number of dimensions.
    """
    if name not in weights:
        raise CheckpointError(f"lacks tensor {name!r}")
    shape = tuple(weights[name].shape)
    if len(shape) != dims or 0 in shape:
        raise CheckpointError(f"tensor {name!r}: expected {dims} dimensions, none of them empty, got shape {shape}")
    return shape


def numbers(weights: Iterable[str], pattern: str) -> list[int]:
    """Return, sorted and once each, the numbers that the first group of a pattern finds at the start of names."""
    found = {match[1] for name in weights if (match := re.match(pattern, name, re.ASCII))}
    return sorted(int(digits) for digits in found if str(int(digits)) == digits)


def resnet_sizes(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the config fields of a ResNet that its weights determine: all but image_size, mean and std."""
    stem = shape_of(weights, "stem.0.weight", 4)
    bottleneck = "stages.0.0.convs.2.0.weight" in weights
    last, expansion = (2, 4) if bottleneck else (1, 1)
    stages = numbers(weights, r"stages\.(\d{1,3})\.")
    outputs = [shape_of(weights, f"stages.{stage}.0.convs.{last}.0.weight", 4)[0] for stage in stages]
    blocks = [len(numbers(weights, rf"stages\.{stage}\.(\d{{1,3}})\.")) for stage in stages]
    widths = [width // expansion for width in outputs]
    inner, per_group = shape_of(weights, "stages.0.0.convs.1.0.weight", 4)[:2]
    groups = max(inner // per_group, 1) if bottleneck else 1
    return {
        **_ends(weights, stem),
        "widths": widths,
        "blocks": blocks,
        "bottleneck": bottleneck,
        "imagenet_stem": stem[-1] == 7,
        "groups": groups,
        "width_per_group": inner * 64 // (max(widths[0], 1) * groups) if bottleneck else 64,
    }


def vgg_sizes(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the config fields of a VGG that its weights determine, given that it ends with a max pooling.

    A pooling has no weights, but it leaves a gap in the numbers of the layers; at the end nothing shows the gap.
    """
    indices = [i for i in numbers(weights, r"convs\.(\d{1,3})\.weight") if weights[f"convs.{i}.weight"].ndim == 4]
    batch_norm = "convs.1.running_mean" in weights
    step = 3 if batch_norm else 2
    layers: list[int] = []
    for index, following in zip(indices, [*indices[1:], None], strict=True):
        layers.append(shape_of(weights, f"convs.{index}.weight", 4)[0])
        gap = step + 1 if following is None else following - index
        if gap not in {step, step + 1}:
            raise CheckpointError(
                f"convs.{index} and convs.{following}: expected {step} or {step + 1} layers from one to the other"
            )
        layers += [POOL] if gap == step + 1 else []
    hidden = _hidden(weights)
    inputs = shape_of(weights, "hidden.0.weight" if hidden else "head.weight", 2)[1]
    return {
        **_ends(weights, shape_of(weights, "convs.0.weight", 4)),
        "layers": layers,
        "batch_norm": batch_norm,
        "hidden": hidden,
        "pooled": math.isqrt(inputs // layers[-2]),
    }


def alexnet_sizes(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the config fields of an AlexNet that its weights determine."""
    widths = [shape_of(weights, f"convs.{index}.weight", 4)[0] for index in range(5)]
    inputs = shape_of(weights, "hidden.0.weight", 2)[1]
    ends = _ends(weights, shape_of(weights, "convs.0.weight", 4))
    return {**ends, "widths": widths, "hidden": _hidden(weights), "pooled": math.isqrt(inputs // widths[-1])}


def vit_sizes(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the config fields of a ViT that its weights determine: all but heads, mean and std."""
    patches = shape_of(weights, "patches.weight", 4)
    tokens = shape_of(weights, "positions", 3)[1]
    side = math.isqrt(tokens - 1)
    if side**2 != tokens - 1:
        raise CheckpointError(
            f"tensor 'positions': expected a square number of patches and one token, got {tokens} tokens"
        )
    return {
        **_ends(weights, patches),
        "image_size": side * patches[-1],
        "patch_size": patches[-1],
        "width": patches[0],
        "depth": len(numbers(weights, r"blocks\.(\d{1,3})\.")),
        "hidden": shape_of(weights, "blocks.0.up.weight", 2)[0],
    }


def _ends(weights: Mapping[str, Tensor], first: tuple[int, ...]) -> dict[str, Any]:
    """Return what the first convolution and the head say: channels and number of classes."""
    return {"channels": first[1], "num_classes": shape_of(weights, "head.weight", 2)[0]}


def _hidden(weights: Mapping[str, Tensor]) -> list[int]:
    """Return the widths of the fully connected layers before the head."""
    return [shape_of(weights, f"hidden.{i}.weight", 2)[0] for i in numbers(weights, r"hidden\.(\d{1,3})\.weight")]
