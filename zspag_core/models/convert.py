"""Recognise a bare state_dict: torchvision's ResNet, VGG or ViT, or one of our own networks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.errors import CheckpointError
from zspag_core.models.foreign.reading import GREY_MEAN, GREY_STD, IMAGENET_MEAN, IMAGENET_STD
from zspag_core.models.infer import alexnet_sizes, numbers, resnet_sizes, shape_of, vgg_sizes, vit_sizes
from zspag_core.models.vgg import POOL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

VIT_HEADS = {768: 12, 1024: 16, 1280: 16}
"""Attention heads of torchvision's own ViTs, by their width; of another width nothing shows them."""
VGG_BLOCKS = {(1, 1, 2, 2, 2), (2, 2, 2, 2, 2), (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)}
"""Convolutions between the poolings of VGG-11, 13, 16 and 19."""
VGG_SIZES = {1: 32, 7: 224}
"""Image size by the side of the map that enters a VGG's linear layers: of the variant for small images, and its own."""

RESNET_NAMES = (
    (r"conv1\.", "stem.0."),
    (r"bn1\.", "stem.1."),
    (r"layer(\d{1,3})\.(\d{1,3})\.conv(\d{1,3})\.", "stages.{0}.{1}.convs.{2}.0."),
    (r"layer(\d{1,3})\.(\d{1,3})\.bn(\d{1,3})\.", "stages.{0}.{1}.convs.{2}.1."),
    (r"layer(\d{1,3})\.(\d{1,3})\.(?:downsample|shortcut)\.", "stages.{0}.{1}.shortcut."),
    (r"(?:fc|linear)\.", "head."),
)
VIT_NAMES = (
    (r"conv_proj\.", "patches."),
    (r"encoder\.pos_embedding$", "positions"),
    (r"encoder\.layers\.encoder_layer_(\d{1,3})\.ln_1\.", "blocks.{0}.norm_1."),
    (r"encoder\.layers\.encoder_layer_(\d{1,3})\.ln_2\.", "blocks.{0}.norm_2."),
    (r"encoder\.layers\.encoder_layer_(\d{1,3})\.self_attention\.out_proj\.", "blocks.{0}.attention.out."),
    (r"encoder\.layers\.encoder_layer_(\d{1,3})\.self_attention\.in_proj_", "blocks.{0}.attention.qkv."),
    (r"encoder\.layers\.encoder_layer_(\d{1,3})\.mlp\.(?:0|linear_1)\.", "blocks.{0}.up."),
    (r"encoder\.layers\.encoder_layer_(\d{1,3})\.mlp\.(?:3|linear_2)\.", "blocks.{0}.down."),
    (r"encoder\.ln\.", "norm."),
    (r"heads\.head\.", "head."),
)


class Unanswered(CheckpointError):
    """A network that is known but for something that no weight shows."""


@dataclass(frozen=True)
class Recognised:
    """A state_dict whose network is known.

    Attributes:
        origin: whose names the file uses, for people.
        architecture: one of ours.
        settings: config fields that the weights determine.
        assumed: config fields that they do not, with the usual value.
        weights: the tensors under our names.
        ours: the owner's name of a tensor -> ours; of a fused q, k, v the name with "qkv" in it, of a bias that was
            folded into a running mean a name that `weights` does not have.
        folded: our name of a running mean -> the bias of the owner's that is in it.
    """

    origin: str
    architecture: str
    settings: dict[str, Any]
    assumed: dict[str, Any]
    weights: dict[str, Tensor]
    ours: dict[str, str]
    folded: dict[str, Tensor] = field(default_factory=dict)

    def owner_weights(self, state: Mapping[str, Tensor], original: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return a state_dict of ours under the owner's names; what did not change is the owner's own tensor.

        Args:
            state: of our network.
            original: the owner's weights, from which this was recognised.
        """
        return {name: self._back(name, self.ours[name], state, tensor) for name, tensor in original.items()}

    def _back(self, theirs: str, ours: str, state: Mapping[str, Tensor], original: Tensor) -> Tensor:
        """Return what stands under one of the owner's names."""
        parts = [ours.replace("qkv", letter) for letter in "qkv"] if ".qkv." in ours else [ours]
        if any(part not in state for part in parts):
            return original  # a bias that was folded
        if all(torch.equal(state[part].cpu(), self.weights[part].to(state[part].dtype)) for part in parts):
            return original
        found = [state[part].cpu() for part in parts]
        joined = torch.cat(found) if len(found) > 1 else found[0]  # a counter of batches cannot be concatenated
        return joined + self.folded[ours].to(joined) if ours in self.folded else joined


def recognise(weights: Mapping[str, Tensor], *, heads_given: bool = False) -> Recognised:
    """Find the network that a bare state_dict belongs to, by its names, and its sizes, by its shapes.

    Args:
        weights: tensors by name, no prefix.
        heads_given: whether the caller knows the number of attention heads, which no shape shows.

    Returns:
        The tensors under our names, with the config fields that follow from them.

    Raises:
        CheckpointError: the names belong to no network that we know, or shapes contradict each other.
    """
    try:
        if "layer1.0.conv1.weight" in weights:
            return _torchvision_resnet(weights)
        if "features.0.weight" in weights:
            return _torchvision_vgg(weights)
        if "encoder.pos_embedding" in weights:
            return _torchvision_vit(weights, heads_given=heads_given)
    except Unanswered:
        raise
    except CheckpointError as error:
        raise CheckpointError(_in_torchvisions_words(str(error), weights)) from None
    return _own(dict(weights), heads_given=heads_given)


def _in_torchvisions_words(refusal: str, weights: Mapping[str, Tensor]) -> str:
    """Say what is missing or wrong with torchvision's names of tensors in place of ours."""
    head = (
        "fc" if "layer1.0.conv1.weight" in weights else "classifier" if "features.0.weight" in weights else "heads.head"
    )
    words = {"stem.0.": "conv1.", "head.": f"{head}.", "convs.": "features.", "hidden.": "classifier."}
    words |= {"patches.": "conv_proj.", "positions'": "encoder.pos_embedding'"}
    refusal = re.sub(
        r"tensor 'stages\.(\d+)\.(\d+)\.convs\.(\d+)\.0\.",
        lambda found: f"tensor 'layer{int(found[1]) + 1}.{found[2]}.conv{int(found[3]) + 1}.",
        refusal,
    )
    for ours, theirs in words.items():
        if f"tensor '{ours}" in refusal:
            return refusal.replace(f"tensor '{ours}", f"tensor '{theirs}")
    return refusal


def _torchvision_resnet(weights: Mapping[str, Tensor]) -> Recognised:
    """Recognise a ResNet, wide ResNet or ResNeXt; also the common CIFAR variant with a 3x3 stem."""
    renamed = _with_counters(_renamed(weights, RESNET_NAMES))
    sizes = resnet_sizes(renamed)
    assumed = _imagenet(sizes["channels"]) | {"image_size": 224 if sizes["imagenet_stem"] else 32}
    ours = {name: _our_name(name, RESNET_NAMES) for name in weights}
    return Recognised("torchvision ResNet", "resnet", sizes, assumed, renamed, ours)


def _torchvision_vgg(weights: Mapping[str, Tensor]) -> Recognised:
    """Recognise a VGG with or without BatchNorm; also with a single linear layer `classifier`."""
    kernel = shape_of(weights, "features.0.weight", 4)[2:]
    if kernel != (3, 3):
        raise CheckpointError(
            f"tensor 'features.0.weight': expected 3x3 kernels as in VGG, got {kernel[0]}x{kernel[1]}"
        )
    names = (*_classifier_names(weights), (r"features\.", "convs."))
    plain = _renamed(weights, names)
    renamed = _with_counters(_bias_folded(plain))
    sizes = vgg_sizes(renamed)
    _check_vgg(sizes)
    assumed = _imagenet(sizes["channels"]) | {
        "image_size": VGG_SIZES[sizes["pooled"]],
        "dropout": 0.5 if sizes["hidden"] else 0.0,
    }
    ours = {name: _our_name(name, names) for name in weights}
    folded = {_mean_of(name): plain[name] for name in plain if name not in renamed}
    return Recognised("torchvision VGG", "vgg", sizes, assumed, renamed, ours, folded)


def _check_vgg(sizes: Mapping[str, Any]) -> None:
    """Refuse what has a VGG's names and is another network: many have `features` and `classifier`.

    Raises:
        CheckpointError: its convolutions do not come as a VGG's do, or nothing shows where its last pooling is.
    """
    blocks, count = [], 0
    for width in sizes["layers"]:
        count += width != POOL
        if width == POOL:
            blocks.append(count)
            count = 0
    if tuple(blocks) not in VGG_BLOCKS:
        raise Unanswered(
            f"its names (features, classifier) are those of many networks, and its {sum(blocks)} convolutions do not "
            "come as in VGG-11, 13, 16 or 19: name its own class with --model python:FILE.py:CALLABLE"
        )
    if sizes["pooled"] not in VGG_SIZES:
        side = sizes["pooled"]
        raise Unanswered(
            f"its weights do not show what brings its last map to {side}x{side} places: name its class with --model "
            "python:FILE.py:CALLABLE"
        )


def _torchvision_vit(weights: Mapping[str, Tensor], *, heads_given: bool) -> Recognised:
    """Recognise a vision transformer."""
    renamed = _qkv_split(_renamed(weights, VIT_NAMES))
    sizes = vit_sizes(renamed)
    if sizes["width"] not in VIT_HEADS and not heads_given:
        raise Unanswered(
            f"its weights do not show how many attention heads it has, and its width {sizes['width']} is not one of "
            f"torchvision's own ViTs ({', '.join(map(str, VIT_HEADS))}): pass heads"
        )
    assumed = _imagenet(sizes["channels"]) | {"heads": VIT_HEADS.get(sizes["width"], 1)}
    ours = {name: _our_name(name, VIT_NAMES) for name in weights}
    return Recognised("torchvision ViT", "vit", sizes, assumed, renamed, ours)


def _own(weights: dict[str, Tensor], *, heads_given: bool) -> Recognised:
    """Recognise one of our own networks where names and shapes leave nothing open."""
    if "stem.0.weight" in weights:
        sizes, architecture, assumed = resnet_sizes(weights), "resnet", {"image_size": 32}
    elif "hidden.1.weight" in weights and shape_of(weights, "convs.0.weight", 4)[-1] == 5:
        sizes, architecture, assumed = alexnet_sizes(weights), "alexnet", {"image_size": 32}
    elif "class_token" in weights and heads_given:
        sizes, architecture, assumed = vit_sizes(weights), "vit", {}
    else:
        raise CheckpointError(_unknown(weights))
    channels = sizes["channels"]
    normal = {"mean": (0.5,) * channels, "std": (0.25,) * channels}
    return Recognised("state_dict", architecture, sizes, assumed | normal, weights, {name: name for name in weights})


def _unknown(weights: Mapping[str, Tensor]) -> str:
    """Say why a state_dict is not recognised."""
    if "class_token" in weights:
        return "its weights do not show how many attention heads it has: pass heads or the config"
    if "convs.0.weight" in weights:
        return "its weights do not show where a VGG pools: pass the config"
    known = "torchvision's ResNet, VGG or ViT, or of our own networks"
    return f"its names are not those of {known}; the first is {next(iter(weights), 'missing, the file is empty')!r}"


def _imagenet(channels: int) -> dict[str, Any]:
    """Return ImageNet's normalisation for RGB, or its average for grey images."""
    if channels == 1:
        return {"mean": GREY_MEAN, "std": GREY_STD}
    return {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}


def _renamed(weights: Mapping[str, Tensor], names: tuple[tuple[str, str], ...]) -> dict[str, Tensor]:
    """Return the tensors under our names; what no pattern matches keeps its own, and is refused later by it."""
    renamed = {_our_name(name, names): tensor for name, tensor in weights.items()}
    if len(renamed) < len(weights):
        raise CheckpointError("two of its tensors have names that stand for the same one")
    return renamed


def _our_name(name: str, names: tuple[tuple[str, str], ...]) -> str:
    """Replace the start of a name; torchvision counts stages and convolutions of a block from 1, we from 0."""
    for pattern, ours in names:
        if found := re.match(pattern, name):
            indices = [int(group) for group in found.groups()]
            if pattern.startswith("layer"):
                indices = [index if place == 1 else index - 1 for place, index in enumerate(indices)]
            return ours.format(*indices) + name[found.end() :]
    return name


def _classifier_names(weights: Mapping[str, Tensor]) -> tuple[tuple[str, str], ...]:
    """Return names for the linear layers of a VGG, whose numbers depend on where its dropout stands."""
    found = numbers(weights, r"classifier\.(\d{1,3})\.weight")
    if not found:
        return ((r"classifier\.", "head."),)
    hidden = tuple((rf"classifier\.{index}\.", f"hidden.{place}.") for place, index in enumerate(found[:-1]))
    return (*hidden, (rf"classifier\.{found[-1]}\.", "head."))


def _mean_of(bias: str) -> str:
    """Return the name of the running mean that a convolution's bias is folded into."""
    index = int(bias.split(".")[1])
    return f"convs.{index + 1}.running_mean"


def _bias_folded(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Move the bias of every convolution that BatchNorm follows into its running mean, which changes no output."""
    folded = dict(weights)
    for index in numbers(weights, r"convs\.(\d{1,3})\.weight"):
        bias = f"convs.{index}.bias"
        mean = _mean_of(bias)
        if (
            bias in weights
            and mean in weights
            and weights[mean].is_floating_point()
            and shape_of(weights, bias, 1) == shape_of(weights, mean, 1)
        ):
            folded[mean] = weights[mean].double() - folded.pop(bias).double()
    return folded


def _with_counters(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the batch counters that files of PyTorch before 0.4.1 lack."""
    ends = [name.removesuffix("running_mean") for name in weights if name.endswith("running_mean")]
    return {f"{end}num_batches_tracked": torch.tensor(0) for end in ends} | weights


def _qkv_split(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Split every fused input projection (3 width, …) into q, k and v."""
    split: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if ".qkv." not in name:
            split[name] = tensor
            continue
        if tensor.ndim == 0 or tensor.shape[0] % 3:
            raise CheckpointError(
                f"tensor {name!r}: expected three parts of equal length, got shape {tuple(tensor.shape)}"
            )
        for letter, part in zip("qkv", tensor.chunk(3), strict=True):
            split[name.replace("qkv", letter)] = part
    return split
