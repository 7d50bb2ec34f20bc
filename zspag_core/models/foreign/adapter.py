"""Any image classifier as one that the engine can work with: pixels in [0, 1] outside, the owner's network inside."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from zspag_core.errors import CheckpointError
from zspag_core.models.base import Classifier
from zspag_core.models.foreign.anatomy import as_map, dry_images, examine, logits_in
from zspag_core.models.foreign.attention import make_explicit
from zspag_core.models.foreign.caches import attributes_of, drop, kept_by_calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from zspag_core.models.foreign.config import ForeignConfig

NETWORK = "network."
"""What stands before every weight's name here; without it the names are the owner's."""


class ForeignClassifier(Classifier):
    """A network of another library, with its normalisation inside.

    The head is the last linear layer or 1x1 convolution with one output a class, features are what enters it (a
    convolution's as their mean over all places).
    """

    architecture = "foreign"
    finest_side = 4
    config: ForeignConfig

    def __init__(self, network: nn.Module, config: ForeignConfig) -> None:
        """Take a network over; every `nn.MultiheadAttention` in it is written out, which changes no output.

        Args:
            network: takes images (N, C, H, W), normalised as the config says; on the CPU, in eval mode.
            config: what is known about it.

        Raises:
            CheckpointError: it is no classifier of such images.
        """
        super().__init__(config)
        self.network = make_explicit(network)
        for mode in (True, False):  # networks that keep tables for evaluation drop them; an owner's may return nothing
            self.network.train(mode)
        before = attributes_of(network)
        images = dry_images(config.channels, config.image_size, network, self.mean, self.std)
        self.anatomy = examine(network, images, classes=config.num_classes)
        self._kept = kept_by_calls(network, before)
        drop(network, self._kept)

    @property
    def head(self) -> nn.Linear:  # type: ignore[override]  # a 1x1 convolution is one, too
        """The layer that makes the logits; where it is a 1x1 convolution, with the attributes of that."""
        return cast("nn.Linear", self.network.get_submodule(self.anatomy.head))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, num_classes) of images (N, C, H, W) in [0, 1]."""
        if not len(images):
            logits: Tensor = self(_one_black(images))
            return logits[:0]
        try:
            return logits_in(self.network(self.normalise(images)))
        finally:
            drop(self.network, self._kept)

    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, D) and logits (N, num_classes) of images (N, C, H, W) in [0, 1]."""
        if not len(images):
            features, logits = self.both(_one_black(images))
            return features[:0], logits[:0]
        entered: list[Tensor] = []
        with self.head.register_forward_pre_hook(lambda _module, inputs: entered.append(inputs[0])):
            logits = self(images)
        features = entered[-1]
        return features if features.ndim == 2 else _pooled(features, len(images)), logits

    def embed(self, images: Tensor) -> Tensor:
        """Return what enters the head, (N, D)."""
        return self.both(images)[0]

    @property
    def unmoved(self) -> dict[str, str]:
        """The weight layers that steps must leave as they are -> why."""
        return {f"{NETWORK}{name}": why for name, why in self.anatomy.census.unmoved.items()}

    @property
    def cam_layers(self) -> dict[str, nn.Module]:
        """The places that the dry run found, by their names in the owner's network."""
        return {name: self.network.get_submodule(name) for name in self.anatomy.maps}

    @property
    def cam_reshape(self) -> Callable[[Tensor], Tensor]:
        """Maps as they are, (N, h, w, C) or tokens turned into them."""
        return _as_map

    def owner_weights(self) -> dict[str, Tensor]:
        """Return the state_dict under the owner's names."""
        return dict(self.network.state_dict())


def _as_map(activations: Tensor) -> Tensor:
    found = as_map(activations)
    if found is None:
        raise CheckpointError(f"expected activations that make a map, got shape {tuple(activations.shape)}")
    return found


def _one_black(images: Tensor) -> Tensor:
    """Return an image of the same shape: many owners' networks take no empty batch."""
    return images.new_zeros(1, *images.shape[1:])


def _pooled(features: Tensor, count: int) -> Tensor:
    """Return features of every image: the mean over places of (N, D, h, w), or over tokens of (N, T, D)."""
    if features.ndim == 4:
        return features.mean(dim=(2, 3)) if features.shape[0] == count else features.flatten(1)
    return features.mean(dim=1)


def redrawn(model: ForeignClassifier, seed: int) -> ForeignClassifier:
    """Return a copy of a classifier whose weights are drawn anew, as far as its modules know how."""
    fresh = copy.deepcopy(model)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)
        for module in fresh.modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()
    return fresh
