"""One projected step after the other: the copy of the model that is trained."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from zspag_core.batching import images_at_once
from zspag_core.data.dataset import to_pixels
from zspag_core.devices import mixed_precision, plain_attention
from zspag_core.errors import UnlearningError
from zspag_core.layers import WeightLayer, weight_layers

if TYPE_CHECKING:
    from collections.abc import Collection

    from zspag_core.data.images import Pictures
    from zspag_core.models import Classifier
    from zspag_core.subspace import Subspace


@dataclass(frozen=True)
class Pull:
    """Where penultimate features are drawn to.

    Attributes:
        targets: (N, D) float, one for each image.
        weight: of the mean squared distance, beside the cross-entropy.
    """

    targets: Tensor
    weight: float

    def __getitem__(self, index: Tensor) -> Pull:
        """Return the pull on some of the images."""
        return Pull(self.targets[index], self.weight)


@dataclass(frozen=True)
class Step:
    """What a step has seen.

    Attributes:
        loss: before the step.
        predicted: (N,) classes, before the step.
        free: ‖P g‖ / ‖g‖, the share of the gradient that the projection has left.
        length: of the step, relative to the length of the weights that move.
    """

    loss: float
    predicted: Tensor
    free: float
    length: float


class ProjectedSGD:
    """The copy that is trained, with only the free weights requiring gradients."""

    def __init__(self, model: Classifier, subspace: Subspace, learning_rate: float) -> None:
        """Copy the model; layers without free space do not move at all."""
        self.model = copy.deepcopy(model).eval().requires_grad_(False)  # noqa: FBT003 - torch's signature
        self.subspace, self.learning_rate = subspace, learning_rate
        self.layers: dict[str, WeightLayer] = {
            name: layer for name, layer in weight_layers(self.model).items() if not subspace.layers[name].full
        }
        for layer in self.layers.values():
            layer.weight.requires_grad_()
        self.device = self.model.head.weight.device

    def loss(self, images: Pictures, labels: Tensor, pull: Pull | None = None) -> tuple[Tensor, Tensor]:
        """Return the mean loss and the logits (N, classes) of some samples; arguments as for :meth:`step`."""
        with mixed_precision(self.device), plain_attention(self.device):
            features, logits = self.model.both(to_pixels(images, self.device))
            loss = F.cross_entropy(logits.float(), labels.to(self.device))
            if pull is not None:
                apart = features.float() - pull.targets.to(self.device)
                loss = loss + pull.weight * apart.square().sum(1).mean()
        return loss, logits

    def step(self, images: Pictures, labels: Tensor, pull: Pull | None = None) -> Step:
        """Take one projected step.

        Args:
            images: (N, C, H, W) uint8.
            labels: (N, classes) soft labels.
            pull: where the penultimate features of these images are drawn to; None draws them nowhere.
        """
        if not self.layers:
            raise UnlearningError("nothing can move: the protected subspace fills every layer; try a smaller energy")
        loss, predicted = 0.0, list[Tensor]()
        for part in torch.arange(len(images)).split(images_at_once(self.model, images, len(images))):
            found = self._share_of_loss(images[part], labels[part], None if pull is None else pull[part], len(images))
            loss, predicted = loss + found[0], [*predicted, found[1]]
        whole = self._gradient_length()
        self.subspace.project_gradients(self.layers)
        kept = self._gradient_length()
        length = self.learning_rate * kept / max(self._weight_length(), 1e-30)
        with torch.no_grad():
            for layer in self.layers.values():
                layer.weight.add_(gradient_of(layer), alpha=-self.learning_rate)
                layer.weight.grad = None
        return Step(loss, torch.cat(predicted), kept / max(whole, 1e-30), length)

    def _share_of_loss(self, images: Pictures, labels: Tensor, pull: Pull | None, count: int) -> tuple[float, Tensor]:
        """Add a part's gradient of the mean loss of `count` images; return its share of that loss and predictions."""
        loss, logits = self.loss(images, labels, pull)
        loss = loss * (len(images) / count)
        loss.backward()
        return loss.item(), logits.argmax(1).cpu()

    def snapshot(self) -> dict[str, Tensor]:
        """Return copies of the weights that move."""
        return {name: layer.weight.detach().clone() for name, layer in self.layers.items()}

    def restore(self, weights: dict[str, Tensor]) -> None:
        """Put copied weights back, also of layers that no longer move."""
        layers = weight_layers(self.model)
        with torch.no_grad():
            for name, kept in weights.items():
                layers[name].weight.copy_(kept)

    def hold_lower_half(self, original: Classifier) -> None:
        """Put all weights back to the original's; from now on only the half of the layers nearest to the head moves."""
        before = weight_layers(original)
        self.restore({name: before[name].weight for name in self.layers})
        self.hold_all_but(list(self.layers)[len(self.layers) // 2 :])

    def hold_all_but(self, names: Collection[str]) -> None:
        """Let only some of the layers move from now on."""
        for name, layer in self.layers.items():
            layer.weight.requires_grad_(name in names)
        self.layers = {name: layer for name, layer in self.layers.items() if name in names}

    def finish(self) -> Classifier:
        """Return the model as others expect it: every parameter may require gradients again."""
        for parameter in self.model.parameters():
            parameter.grad = None
        return self.model.requires_grad_()

    def _gradient_length(self) -> float:
        """Return the norm of all gradients together."""
        return math.sqrt(torch.stack([gradient_of(layer).square().sum() for layer in self.layers.values()]).sum())

    def _weight_length(self) -> float:
        """Return the norm of all weights that move together."""
        with torch.no_grad():
            return math.sqrt(torch.stack([layer.weight.square().sum() for layer in self.layers.values()]).sum())


def gradient_of(layer: WeightLayer) -> Tensor:
    """Return the gradient of a layer's weight, which must have one."""
    assert layer.weight.grad is not None, "backward() fills the gradient of every weight that moves"  # noqa: S101
    return layer.weight.grad
