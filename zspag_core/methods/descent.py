"""The loop that all relabelling methods share: plain SGD on forget samples with soft labels, projected or not.

No momentum and no weight decay, since either would carry a step out of the projection. Biases, norms, tokens and
positions stay as they are, and BatchNorm stays in eval mode, also where nothing is projected: else a comparison with
the projected method would be confounded.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from zspag_core.data.dataset import to_pixels
from zspag_core.devices import mixed_precision, plain_attention
from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.layers import WeightLayer, weight_layers
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from zspag_core.models import Classifier
    from zspag_core.proxies import ProxySet
    from zspag_core.subspace import Subspace

AGREEMENT_IMAGES = 500


@dataclass(frozen=True)
class StoppingRule:
    """When to stop, seen from inside the zero-shot fence.

    Attributes:
        forget_accuracy: percent of forget samples still read as one of the forgotten classes, at or below which the
            goal is reached.
        margin: percentage points that the agreement on the proxies may fall; an epoch that falls further is undone.
    """

    forget_accuracy: float
    margin: float


@dataclass(frozen=True)
class Descent:
    """Outcome of the loop: the model, why it ended, one row an epoch."""

    model: Classifier
    stopped: str
    history: list[dict[str, float]]


def descend(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    classes: tuple[int, ...],
    *,
    subspace: Subspace,
    learning_rate: float,
    epochs: int,
    batch_size: int,
    generator: torch.Generator,
    rule: StoppingRule | None = None,
    proxies: ProxySet | None = None,
    report: Reporter = SILENT,
) -> Descent:
    """Minimise the cross-entropy of soft labels, every step without its protected part.

    Args:
        model: the original classifier; a copy is trained.
        images: (N, C, H, W) uint8 forget samples.
        labels: (N, classes) float soft labels.
        classes: the forgotten classes.
        subspace: protected directions of every layer; layers without free space do not move at all.
        learning_rate: of plain SGD.
        epochs: passes over the samples at most.
        batch_size: samples per step.
        generator: source of the order, on the CPU.
        rule: when to stop earlier; None to make all epochs.
        proxies: watched by the rule and reported.
        report: receives progress, and the model after every epoch.

    Raises:
        UnlearningError: the loss became NaN or infinite.

    Source: Chen et al., ZS-PAG, equation 5.
    """
    loop = _Loop(model, subspace, learning_rate)
    watch = _Watch(loop.model, model, proxies)
    history: list[dict[str, float]] = []
    stopped = "epochs"
    try:
        for epoch in range(1, epochs + 1):
            before = loop.snapshot()
            order = torch.randperm(len(images), generator=generator).split(batch_size)
            row = {"epoch": epoch} | _epoch(loop, images, labels, classes, order, epoch, epochs, report)
            row |= watch.figures()
            if rule is not None and row.get("proxy_agreement", 100.0) < 100.0 - rule.margin and epoch > 1:
                loop.restore(before)
                stopped = "rule"
                break
            history.append(row)
            report.epoch(epoch, epochs, loop.model, **{k: v for k, v in row.items() if k != "epoch"})
            if rule is not None and row["forget_accuracy"] <= rule.forget_accuracy:
                stopped = "rule"
                break
    except Cancelled:
        stopped = "cancelled"
    return Descent(loop.finish(), stopped, history)


def _epoch(
    loop: _Loop,
    images: Tensor,
    labels: Tensor,
    classes: tuple[int, ...],
    order: tuple[Tensor, ...],
    epoch: int,
    epochs: int,
    report: Reporter,
) -> dict[str, float]:
    """Make one pass; return mean loss, accuracy on the forget samples and the share of the gradient that is free."""
    forgotten = torch.tensor(classes)
    loss_sum, still, free = 0.0, 0, 0.0
    for step, index in enumerate(order, start=1):
        loss, predicted, share = loop.step(images[index], labels[index])
        if not math.isfinite(loss):
            raise UnlearningError(f"the loss became {loss} in epoch {epoch}; try a smaller learning_rate")
        loss_sum, free = loss_sum + loss * len(index), free + share / len(order)
        still += int(torch.isin(predicted, forgotten).sum())
        report.progress("unlearn", (epoch - 1) * len(order) + step, epochs * len(order), loss=loss)
    return {"loss": loss_sum / len(images), "forget_accuracy": 100 * still / len(images), "free_gradient": free}


class _Loop:
    """The copy that is trained, with only the free weights requiring gradients."""

    def __init__(self, model: Classifier, subspace: Subspace, learning_rate: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
        self.subspace, self.learning_rate = subspace, learning_rate
        self.layers: dict[str, WeightLayer] = {
            name: layer for name, layer in weight_layers(self.model).items() if not subspace.layers[name].full
        }
        for layer in self.layers.values():
            layer.weight.requires_grad_(requires_grad=True)
        self.device = self.model.head.weight.device

    def step(self, images: Tensor, labels: Tensor) -> tuple[float, Tensor, float]:
        """Take one projected step; return the loss, the predictions before it and ‖P g‖ / ‖g‖."""
        if not self.layers:
            raise UnlearningError("nothing can move: the protected subspace fills every layer; try a smaller energy")
        with mixed_precision(self.device), plain_attention(self.device):
            logits = self.model(to_pixels(images, self.device))
            loss = F.cross_entropy(logits.float(), labels.to(self.device))
        loss.backward()
        whole = self._gradient_length()
        self.subspace.project_gradients(self.layers)
        share = self._gradient_length() / max(whole, 1e-30)
        with torch.no_grad():
            for layer in self.layers.values():
                layer.weight -= self.learning_rate * layer.weight.grad
                layer.weight.grad = None
        return loss.item(), logits.argmax(1).cpu(), share

    def snapshot(self) -> dict[str, Tensor]:
        """Return copies of the weights that move."""
        return {name: layer.weight.detach().clone() for name, layer in self.layers.items()}

    def restore(self, weights: dict[str, Tensor]) -> None:
        """Put copied weights back."""
        with torch.no_grad():
            for name, layer in self.layers.items():
                layer.weight.copy_(weights[name])

    def finish(self) -> Classifier:
        """Return the model as others expect it: every parameter may require gradients again."""
        for parameter in self.model.parameters():
            parameter.grad = None
        return self.model.requires_grad_(requires_grad=True)

    def _gradient_length(self) -> float:
        """Return the norm of all gradients together."""
        return float(sum(layer.weight.grad.square().sum() for layer in self.layers.values())) ** 0.5


class _Watch:
    """How many proxies are still read as before; a look that costs no remaining data."""

    def __init__(self, model: Classifier, original: Classifier, proxies: ProxySet | None) -> None:
        self.model, self.images = model, None
        if proxies is not None and len(proxies):
            every = max(1, len(proxies) // AGREEMENT_IMAGES)
            self.images = proxies.images[::every].to(original.head.weight.device)
            self.before = self._predict(original)

    def figures(self) -> dict[str, float]:
        """Return the agreement in percent, where there are proxies."""
        if self.images is None:
            return {}
        return {"proxy_agreement": 100 * float((self._predict(self.model) == self.before).float().mean())}

    @torch.inference_mode()
    def _predict(self, model: Classifier) -> Tensor:
        with mixed_precision(self.images.device):
            return torch.cat([model(batch).argmax(1) for batch in self.images.split(250)])
