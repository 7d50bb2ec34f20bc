"""GradCAM without scaling: evidence for a class, place by place, on a scale that two models share."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from zspag_core.devices import device_of, plain_attention
from zspag_core.models.base import evaluating

if TYPE_CHECKING:
    from zspag_core.models import Classifier


class AttentionMaps(NamedTuple):
    """GradCAM maps and what the model says of the same images.

    Attributes:
        maps: (N, h, w) float32, not scaled; zero where nothing speaks for the class.
        logits: (N, num_classes) float32.
    """

    maps: Tensor
    logits: Tensor


def attention(model: Classifier, pixels: Tensor, targets: Tensor, layer: str, *, batch_size: int = 64) -> AttentionMaps:
    """Compute the GradCAM map of each image for one class.

    Args:
        model: the classifier; its modes, gradients and hooks are left as they were.
        pixels: (N, C, H, W) float in [0, 1].
        targets: (N,) int64, the class whose logit is explained.
        layer: a key of `model.cam_layers`.
        batch_size: images at once.

    Returns:
        Maps and logits on the CPU.

    Raises:
        ValueError: the layer is unknown, or targets do not fit.

    Source: Selvaraju et al., Grad-CAM, 2017, equations 1 and 2, without their scaling for display.
    """
    _check(model, pixels, targets, layer)
    device = device_of(model)
    parts = [
        _attend(model, x.to(device), y.to(device), layer)
        for x, y in zip(pixels.split(batch_size), targets.split(batch_size), strict=True)
    ]
    maps, logits = (torch.cat(part) for part in zip(*parts, strict=True))
    return AttentionMaps(maps, logits)


def default_layer(model: Classifier) -> str | None:
    """Return the deepest layer whose maps are fine enough, else the one with the finest; None without layers."""
    sides = {name: min(shape) for name, shape in map_shapes(model).items()}
    fine = [name for name, side in sides.items() if side >= model.finest_side]
    return fine[-1] if fine else max(sides, key=sides.__getitem__, default=None)


@torch.no_grad()
def map_shapes(model: Classifier) -> dict[str, tuple[int, int]]:
    """Return height and width of the maps of every layer in `model.cam_layers`, from shallow to deep."""
    config = model.config
    seen: dict[str, Tensor] = {}
    with evaluating(model), ExitStack() as hooks:
        for name, module in model.cam_layers.items():
            hooks.enter_context(
                module.register_forward_hook(lambda _module, _inputs, output, name=name: seen.update({name: output}))
            )
        model(torch.zeros(1, config.channels, config.image_size, config.image_size, device=device_of(model)))
    shapes = {name: _as_map(model, seen[name]).shape for name in model.cam_layers}
    return {name: (shape[2], shape[3]) for name, shape in shapes.items()}


def _attend(model: Classifier, pixels: Tensor, targets: Tensor, layer: str) -> AttentionMaps:
    """Compute one batch: the layer's activations, weighted by the mean gradient of the target's logit, rectified."""
    seen: list[Tensor] = []
    hook = model.cam_layers[layer].register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    leaf = pixels.detach().clone().requires_grad_()  # so that there is a graph, whatever parameters are frozen
    with hook, evaluating(model), torch.enable_grad(), plain_attention(pixels.device):
        logits = model(leaf)
        (gradient,) = torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), seen[0])
    weights = _as_map(model, gradient).mean(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
    maps = (weights * _as_map(model, seen[0].detach())).sum(1).relu()  # (N, h, w)
    return AttentionMaps(maps.float().cpu(), logits.detach().float().cpu())


def _as_map(model: Classifier, activations: Tensor) -> Tensor:
    """Return activations as (N, C, h, w)."""
    return activations if model.cam_reshape is None else model.cam_reshape(activations)


def _check(model: Classifier, pixels: Tensor, targets: Tensor, layer: str) -> None:
    """Refuse what would give no map or a wrong one."""
    if layer not in model.cam_layers:
        raise ValueError(f"layer: expected one of {', '.join(model.cam_layers)}, got {layer!r}")
    if targets.shape != pixels.shape[:1] or not len(targets):
        raise ValueError(f"targets: expected one per image, got {tuple(targets.shape)} for {tuple(pixels.shape)}")
    last = model.config.num_classes - 1
    if not 0 <= int(targets.min()) <= int(targets.max()) <= last:
        raise ValueError(f"targets: expected 0 to {last}, got {int(targets.min())} to {int(targets.max())}")
