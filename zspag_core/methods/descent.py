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

AGREEMENT_IMAGES = 256
RETRIES = 6
STEP_CUT = 3.0


@dataclass(frozen=True)
class StoppingRule:
    """When to stop, seen from inside the zero-shot fence.

    Attributes:
        forget_accuracy: percent of forget samples still read as one of the forgotten classes, at or below which the
            goal is reached.
        margin: percentage points that the agreement on the proxies may fall; an epoch that falls further, or in which
            the loss is no number any more, is undone and made again with a third of the step, up to six times.
    """

    forget_accuracy: float
    margin: float


@dataclass(frozen=True)
class Schedule:
    """How the loop goes.

    Attributes:
        learning_rate: of plain SGD.
        epochs: passes over the samples at most.
        batch_size: samples per step.
        rule: when to stop earlier; None to make all epochs.
    """

    learning_rate: float
    epochs: int
    batch_size: int
    rule: StoppingRule | None = None


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
    schedule: Schedule,
    *,
    subspace: Subspace,
    generator: torch.Generator,
    proxies: ProxySet | None = None,
    report: Reporter = SILENT,
) -> Descent:
    """Minimise the cross-entropy of soft labels, every step without its protected part.

    Args:
        model: the original classifier; a copy is trained.
        images: (N, C, H, W) uint8 forget samples.
        labels: (N, classes) float soft labels.
        classes: the forgotten classes.
        schedule: step length, number of steps, stopping rule.
        subspace: protected directions of every layer; layers without free space do not move at all.
        generator: source of the order, on the CPU.
        proxies: watched by the rule and reported.
        report: receives progress, and the model after every epoch.

    Raises:
        UnlearningError: the loss became NaN or infinite, or no step was small enough for the rule.

    Source: Chen et al., ZS-PAG, equation 5.
    """
    loop = _Loop(model, subspace, schedule.learning_rate)
    epochs, rule = schedule.epochs, schedule.rule
    watch = _Watch(loop.model, model, proxies)
    history: list[dict[str, float]] = []
    retries = RETRIES if rule is not None else 0
    stopped = "epochs"
    try:
        while len(history) < epochs and stopped == "epochs":
            before = loop.snapshot()
            order = torch.randperm(len(images), generator=generator).split(schedule.batch_size)
            row = {"epoch": len(history) + 1.0} | _epoch(
                loop, images, labels, classes, order, len(history), epochs, report
            )
            row |= watch.figures() | {"learning_rate": loop.learning_rate}
            if not _kept_its_footing(row, rule):
                loop.restore(before)
                if retries == 0:
                    _refuse(row, history)
                    stopped = "rule"
                    continue
                loop.learning_rate /= STEP_CUT
                retries -= 1
                continue
            history.append(row)
            report.epoch(len(history), epochs, loop.model, **{k: v for k, v in row.items() if k != "epoch"})
            if rule is not None and row["forget_accuracy"] <= rule.forget_accuracy:
                stopped = "rule"
    except Cancelled:
        stopped = "cancelled"
    return Descent(loop.finish(), stopped, history)


def _kept_its_footing(row: dict[str, float], rule: StoppingRule | None) -> bool:
    """Tell whether an epoch may stand: the loss is a number, and the proxies are still read as before."""
    if not math.isfinite(row["loss"]):
        return False
    return rule is None or row.get("proxy_agreement", 100.0) >= 100.0 - rule.margin


def _refuse(row: dict[str, float], history: list[dict[str, float]]) -> None:
    """Raise when there is no smaller step left to try and nothing to keep: no number, or no epoch that may stand."""
    rate = row["learning_rate"]
    if not math.isfinite(row["loss"]):
        raise UnlearningError(
            f"the loss became {row['loss']} in epoch {row['epoch']:g}; try a learning_rate below {rate:g}"
        )
    if not history:
        raise UnlearningError(
            f"no step was small enough: with a learning rate of {rate:.2g} the proxies' agreement still falls to "
            f"{row['proxy_agreement']:.1f} % in one epoch; try a larger energy or stop_margin"
        )


def _epoch(
    loop: _Loop,
    images: Tensor,
    labels: Tensor,
    classes: tuple[int, ...],
    order: tuple[Tensor, ...],
    done: int,
    epochs: int,
    report: Reporter,
) -> dict[str, float]:
    """Make one pass; return mean loss, accuracy on the forget samples and the share of the gradient that is free."""
    forgotten = torch.tensor(classes)
    loss_sum, still, free = 0.0, 0, 0.0
    for step, index in enumerate(order, start=1):
        loss, predicted, share = loop.step(images[index], labels[index])
        loss_sum, free = loss_sum + loss * len(index), free + share / len(order)
        still += int(torch.isin(predicted, forgotten).sum())
        report.progress("unlearn", done * len(order) + step, epochs * len(order), loss=loss)
        if not math.isfinite(loss):
            break
    return {"loss": loss_sum / len(images), "forget_accuracy": 100 * still / len(images), "free_gradient": free}


class _Loop:
    """The copy that is trained, with only the free weights requiring gradients."""

    def __init__(self, model: Classifier, subspace: Subspace, learning_rate: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)  # noqa: FBT003 - torch's signature
        self.subspace, self.learning_rate = subspace, learning_rate
        self.layers: dict[str, WeightLayer] = {
            name: layer for name, layer in weight_layers(self.model).items() if not subspace.layers[name].full
        }
        for layer in self.layers.values():
            layer.weight.requires_grad_()
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
                layer.weight.add_(gradient_of(layer), alpha=-self.learning_rate)
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
        return self.model.requires_grad_()

    def _gradient_length(self) -> float:
        """Return the norm of all gradients together."""
        return math.sqrt(torch.stack([gradient_of(layer).square().sum() for layer in self.layers.values()]).sum())


def gradient_of(layer: WeightLayer) -> Tensor:
    """Return the gradient of a layer's weight, which must have one."""
    assert layer.weight.grad is not None, "backward() fills the gradient of every weight that moves"  # noqa: S101
    return layer.weight.grad


class _Watch:
    """How many proxies are still read as before; a look that costs no remaining data."""

    def __init__(self, model: Classifier, original: Classifier, proxies: ProxySet | None) -> None:
        self.model = model
        self.images = proxies.images[:0] if proxies is not None else torch.zeros(0)
        if proxies is not None and len(proxies):
            every = math.ceil(len(proxies) / AGREEMENT_IMAGES)
            self.images = proxies.images[::every].to(original.head.weight.device)
            self.before = self._predict(original)

    def figures(self) -> dict[str, float]:
        """Return the agreement in percent, where there are proxies."""
        if not len(self.images):
            return {}
        return {"proxy_agreement": 100 * float((self._predict(self.model) == self.before).float().mean())}

    @torch.inference_mode()
    def _predict(self, model: Classifier) -> Tensor:
        with mixed_precision(self.images.device):
            return torch.cat([model(batch).argmax(1) for batch in self.images.split(250)])
