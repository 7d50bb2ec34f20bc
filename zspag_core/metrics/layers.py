"""What unlearning did to each weight layer: what leaked into the protected part, how far its outputs drifted."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zspag_core.batching import images_at_once
from zspag_core.devices import exact
from zspag_core.layers import WeightLayer, as_matrices, groups_of, output_of, weight_layers

if TYPE_CHECKING:
    from zspag_core.models import Classifier
    from zspag_core.subspace import Subspace


@dataclass(frozen=True)
class LayerReport:
    """One weight layer after unlearning.

    Attributes:
        name: of the layer.
        dim: input dimensions.
        rank: protected directions among them.
        leak: ‖ΔW S‖ / ‖W‖, zero but for rounding.
        moved: ‖ΔW‖ / ‖W‖.
        drift_proxy: ‖ΔW R‖ / ‖W R‖ on proxies.
        drift_real: the same on real remaining test images (for grading only).
        captured: share of the real remaining images' input energy inside the protected directions, in percent.
        kept_least: the same share of the proxies of the class that has least of it, in percent.
        captured_proxy: the same share of all proxies: an estimate of `captured` where there are no real images.
    """

    name: str
    dim: int
    rank: int
    leak: float
    moved: float
    drift_proxy: float | None
    drift_real: float | None
    captured: float | None
    kept_least: float | None
    captured_proxy: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return asdict(self)


def report_layers(
    original: Classifier, unlearned: Classifier, subspace: Subspace, proxies: Tensor, labels: Tensor, real: Tensor
) -> list[LayerReport]:
    """Compare two models layer by layer.

    Args:
        original: before.
        unlearned: after, of the same shape and on the same device.
        subspace: what was protected.
        proxies: (M, C, H, W) float in [0, 1]; may be empty.
        labels: (M,) int64, the classes of the proxies.
        real: (N, C, H, W) float in [0, 1], real remaining images; may be empty.
    """
    layers, after = weight_layers(original), weight_layers(unlearned)
    changes = {name: (after[name].weight - layer.weight).detach() for name, layer in layers.items()}
    on_proxies = _lengths(original, layers, changes, subspace, proxies)
    on_real = _lengths(original, layers, changes, subspace, real)
    rows = []
    for name, layer in layers.items():
        kept = subspace.layers[name]
        change, weight = as_matrices(changes[name], layer), layer.weight.detach()
        rows.append(
            LayerReport(
                name,
                kept.dim,
                kept.rank,
                float((change @ kept.basis).norm() / weight.norm()),
                float(change.norm() / weight.norm()),
                on_proxies[name].drift,
                on_real[name].drift,
                on_real[name].captured,
                on_proxies[name].least_captured(labels),
                on_proxies[name].captured,
            )
        )
    return rows


class _Lengths:
    """Sums of squares of what a layer makes of its inputs: with its weight, with the change, inside the basis."""

    def __init__(self) -> None:
        self.weight = self.change = 0.0
        self.inside: list[Tensor] = []  # one number an image
        self.whole: list[Tensor] = []

    @property
    def drift(self) -> float | None:
        """Return ‖ΔW R‖ / ‖W R‖, None without inputs."""
        return (self.change / self.weight) ** 0.5 if self.weight > 0 else None

    @property
    def captured(self) -> float | None:
        """Return the share of the inputs' energy inside the basis in percent, None without inputs."""
        if not sum(map(len, self.whole)):
            return None
        return 100 * float(torch.cat(self.inside).sum() / torch.cat(self.whole).sum().clamp_min(1e-30))

    def least_captured(self, labels: Tensor) -> float | None:
        """Return the same for the class, among the labels (N,) of the inputs, that has least of it."""
        if not self.whole or not len(labels):
            return None
        inside, whole = torch.cat(self.inside), torch.cat(self.whole)
        shares = [inside[labels == k].sum() / whole[labels == k].sum().clamp_min(1e-30) for k in labels.unique()]
        return 100 * float(torch.stack(shares).min())


@torch.inference_mode()
def _lengths(
    model: Classifier, layers: dict[str, WeightLayer], changes: dict[str, Tensor], subspace: Subspace, images: Tensor
) -> dict[str, _Lengths]:
    """Feed images through the model and measure at every layer, by applying ΔW and S as if they were its weights."""
    sums = {name: _Lengths() for name in layers}

    def hook_of(name: str) -> Any:  # noqa: ANN401 - torch's hook signature
        layer, basis = layers[name], subspace.layers[name].basis

        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x, total = inputs[0], sums[name]
            total.weight += _square(output_of(layer, layer.weight, x))
            total.change += _square(output_of(layer, changes[name], x))
            filters = basis.transpose(1, 2).reshape(-1, *layer.weight.shape[1:])  # a copy: of one layer at a time
            ones = torch.ones_like(layer.weight[: groups_of(layer)])
            total.whole.append(output_of(layer, ones, x.square()).flatten(1).sum(1).cpu())
            inside = output_of(layer, filters, x).square() if len(filters) else torch.zeros(len(x), 1)
            total.inside.append(inside.flatten(1).sum(1).cpu())

        return hook

    if not len(images):
        return sums
    device, size = model.head.weight.device, images_at_once(model, images)
    with ExitStack() as hooks:
        for name, layer in layers.items():
            hooks.enter_context(layer.register_forward_pre_hook(hook_of(name)))
        for batch in images.split(size):
            model(batch.to(device).float())
    return sums


def _square(x: Tensor) -> float:
    """Return the sum of squares."""
    return float(exact(x.square().sum()))
