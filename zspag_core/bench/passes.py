"""What the stages ask of the network, counted in images, and what one image costs on this machine."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch.func import functional_call, jvp, vjp
from torch.nn import functional as F

from zspag_core.devices import (
    device_of,
    laid_out,
    mixed_precision,
    most_at_once,
    plain_attention,
    transformable_attention,
)
from zspag_core.layers import weight_layers
from zspag_core.methods.descent import AGREEMENT_IMAGES, ROUND_IMAGES
from zspag_core.methods.guard import WATCHED_IMAGES
from zspag_core.methods.zspag import ZSPAG
from zspag_core.progress import SILENT, Reporter
from zspag_core.pseudo_labels import INFLUENCE_MODES

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from zspag_core.attacks import Attack, Attacked
    from zspag_core.methods.base import Unlearned
    from zspag_core.models import Classifier

SECONDS_PER_COST = 0.3  # how long one kind of pass is measured at most, beyond the third repetition
WARM_UPS, REPEATS = 1, 3


@dataclass
class Tally:
    """What the attacks of one run cost, and how many steps the solver and the loop took (undone epochs included)."""

    calls: list[int] = field(default_factory=list)
    passes: int = 0
    checks: int = 0
    cg_steps: int = 0
    loop_steps: int = 0

    def epochs(self, images: int, batch_size: int) -> float:
        """Return how many passes the loop made over the forget samples, also parts that the stopping rule undid."""
        return self.loop_steps / math.ceil(images / batch_size)

    def looks(self, images: int, batch_size: int) -> int:
        """Return how often proxies and the guard's samples were looked at: before the loop and after every round."""
        epoch, a_round = math.ceil(images / batch_size), max(1, ROUND_IMAGES // batch_size)
        whole, rest = divmod(self.loop_steps, epoch)
        return 1 + whole * math.ceil(epoch / a_round) + math.ceil(rest / a_round)


@dataclass(frozen=True)
class TalliedAttack:
    """An attack that writes down what it costs."""

    attack: Attack
    tally: Tally

    def perturb(
        self,
        model: Classifier,
        images: Tensor,
        targets: Tensor,
        *,
        generator: torch.Generator,
        report: Reporter = SILENT,
    ) -> Attacked:
        """Attack as the attack itself does."""
        outcome = self.attack.perturb(model, images, targets, generator=generator, report=report)
        self.tally.calls.append(len(images))
        self.tally.passes += outcome.passes
        self.tally.checks += outcome.checks
        return outcome


@dataclass(frozen=True, kw_only=True)
class TalliedZSPAG(ZSPAG):
    """ZS-PAG whose attack is counted; nothing else differs."""

    tally: Tally = field(default_factory=Tally)

    def build_attack(self) -> Attack:
        """Return the attack inside of one that counts."""
        return TalliedAttack(super().build_attack(), self.tally)  # type: ignore[return-value]


class CountingReporter(Reporter):
    """Counts the steps of the solver and of the loop."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def progress(self, stage: str, done: int, total: int, **figures: float) -> None:
        """Take note of a step; the solver's are those with a residual."""
        self.tally.loop_steps += stage == "unlearn"
        if stage == "labels" and "residual" in figures:
            self.tally.cg_steps = done


@dataclass(frozen=True)
class Passes:
    """Passes of one kind that a stage makes.

    Attributes:
        stage: "proxies", "subspace", "labels" or "unlearn".
        kind: a key of KINDS.
        images: how many images go through.
        batch: how many at once.
    """

    stage: str
    kind: str
    images: int
    batch: int


def count_work(method: ZSPAG, tally: Tally, run: Unlearned, forget_images: int) -> list[Passes]:
    """Return all passes through the network that a run has made.

    Args:
        method: with which settings.
        tally: what its attacks and its solver counted.
        run: what it returned.
        forget_images: how many forget samples there were.
    """
    proxies = len(run.proxies) if run.proxies is not None else 0
    batch, whole = max(tally.calls, default=1), most_at_once(device_of(run.model))
    watched = _seen(proxies, AGREEMENT_IMAGES) + _seen(forget_images, WATCHED_IMAGES)
    epochs = tally.epochs(forget_images, method.batch_size)
    work = [
        Passes("proxies", "forward", forget_images, whole),
        Passes("proxies", "forward", tally.checks, batch),
        Passes("proxies", "to images", tally.passes, batch),
        Passes("subspace", "forward", proxies, 100),
        Passes("unlearn", "to weights", round(epochs * forget_images), method.batch_size),
        Passes("unlearn", "mixed forward", tally.looks(forget_images, method.batch_size) * watched, 250),
    ]
    if method.label_mode in INFLUENCE_MODES:
        judged = min(proxies, method.influence_images)
        work += [
            Passes("labels", "forward", judged, min(judged, whole)),
            Passes("labels", "tangent", (tally.cg_steps + 1) * judged, min(judged, whole)),
            Passes("labels", "backward", (tally.cg_steps + 2) * judged, min(judged, whole)),
            Passes("labels", "tangent", forget_images, whole),
        ]
    return [part for part in work if part.images]


def _seen(images: int, most: int) -> int:
    """Return how many are left of images of which at most so many, spread evenly, are looked at."""
    return len(range(0, images, max(1, math.ceil(images / most))))


def price_work(model: Classifier, images: Tensor, work: list[Passes]) -> dict[tuple[str, int], float]:
    """Return the seconds per image of every kind and batch size among the work, measured here.

    Args:
        model: in eval mode, on the device to measure.
        images: (N, C, H, W) float in [0, 1] on that device, repeated where a batch needs more.
        work: what to measure.
    """
    prices = {}
    for kind, wanted in sorted({(part.kind, part.batch) for part in work}):
        largest = max(part.images for part in work if (part.kind, part.batch) == (kind, wanted))
        size = min(wanted, largest)
        batch = laid_out(images.repeat(-(-size // len(images)), 1, 1, 1)[:size])
        prices[kind, wanted] = seconds_of(KINDS[kind](model, batch), model.head.weight.device) / size
    return prices


def seconds_of(task: Callable[[], object], device: torch.device) -> float:
    """Return the median time of a task: at least three repetitions after a warm-up."""
    for _ in range(WARM_UPS):
        task()
    taken: list[float] = []
    while len(taken) < REPEATS or (sum(taken) < SECONDS_PER_COST and len(taken) < 30):
        wait_for(device)
        start = time.perf_counter()
        task()
        wait_for(device)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def wait_for(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _forward(model: Classifier, images: Tensor) -> Callable[[], object]:
    def task() -> Tensor:
        with torch.inference_mode():
            logits: Tensor = model(images)
        return logits

    return task


def _mixed_forward(model: Classifier, images: Tensor) -> Callable[[], object]:
    def task() -> Tensor:
        with torch.inference_mode(), mixed_precision(images.device):
            logits: Tensor = model(images)
        return logits

    return task


def _to_images(model: Classifier, images: Tensor) -> Callable[[], object]:
    labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)

    def task() -> object:
        leaf = images.detach().requires_grad_()
        with mixed_precision(images.device), plain_attention(images.device):
            loss = F.cross_entropy(model(leaf), labels, reduction="sum")
        return torch.autograd.grad(loss, leaf)

    return task


def _to_weights(model: Classifier, images: Tensor) -> Callable[[], object]:
    labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    weights = [layer.weight for layer in weight_layers(model).values()]

    def task() -> object:
        with mixed_precision(images.device), plain_attention(images.device):
            loss = F.cross_entropy(model(images).float(), labels)
        return torch.autograd.grad(loss, weights)

    return task


def _tangent(model: Classifier, images: Tensor) -> Callable[[], object]:
    weights = _weights_of(model)
    direction = {name: torch.ones_like(part) for name, part in weights.items()}

    def task() -> object:
        with torch.no_grad(), transformable_attention():
            return jvp(lambda moved: functional_call(model, moved, (images,)), (weights,), (direction,))

    return task


def _backward(model: Classifier, images: Tensor) -> Callable[[], object]:
    with transformable_attention():
        found = vjp(lambda moved: functional_call(model, moved, (images,)), _weights_of(model))
    return lambda: found[1](torch.ones_like(found[0]))


def _weights_of(model: Classifier) -> dict[str, Tensor]:
    return {f"{name}.weight": layer.weight.detach() for name, layer in weight_layers(model).items()}


KINDS: dict[str, Callable[[Classifier, Tensor], Callable[[], object]]] = {
    "forward": _forward,
    "mixed forward": _mixed_forward,
    "to images": _to_images,
    "to weights": _to_weights,
    "tangent": _tangent,
    "backward": _backward,
}
"""Kinds of passes: forward; forward and backward to the images or to the weights; forward with a forward-mode
derivative; backward alone. "mixed", "to images" and "to weights" run in the mixed precision of attack and loop."""
