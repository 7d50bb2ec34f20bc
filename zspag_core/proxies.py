"""Stage 1: forget samples are attacked until the model takes them for remaining classes (paper section 3.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from zspag_core.data.dataset import Split, to_pixels
from zspag_core.devices import device_of, most_at_once
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.attacks import Attack, Attacked
    from zspag_core.models import Classifier

COVERAGES = ("second_best", "balanced")
FLOAT32, HELD_BYTES = 4, 512 * 1024**2  # what one number takes; what proxies may take before they are halved
TRIES_PER_PROXY = 2  # of samples aimed at a class that is not their second best, so many are spent per missing proxy


@dataclass(frozen=True)
class ProxySet:
    """Adversarial images that stand in for the remaining data.

    Attributes:
        images: (M, C, H, W) float in [0, 1]; of half precision where they are more than 512 MiB.
        labels: (M,) int64, the remaining class that the original model reads in each.
        sources: (M,) int64, index of the forget sample that each was made from.
        confidence: (M,) float, probability of the class that was aimed at (small where another one was reached).
        attempted: number of samples attacked.
        passes: images times (forward and backward) that the attack cost.
    """

    images: Tensor
    labels: Tensor
    sources: Tensor
    confidence: Tensor
    attempted: int
    passes: int

    def __len__(self) -> int:
        """Return the number of proxies."""
        return len(self.labels)

    @property
    def asr(self) -> float:
        """Return the attack success rate in percent: proxies among the samples attacked."""
        return 100 * len(self) / max(1, self.attempted)

    def per_class(self, num_classes: int) -> list[int]:
        """Return the number of proxies of every class."""
        return torch.bincount(self.labels, minlength=num_classes).tolist()


def generate_proxies(
    model: Classifier,
    forget: Split,
    logits: Tensor,
    barred: Tensor,
    attack: Attack,
    *,
    n_adv: int,
    fill: float = 0.0,
    generator: torch.Generator,
    report: Reporter = SILENT,
) -> ProxySet:
    """Attack as many forget samples as the quota of `n_adv` proxies per remaining class needs.

    Every sample is aimed at its best class that is not barred. Samples are drawn in random order; failures are
    replaced by further samples while there are any. Classes that then have less than `fill` of their quota are aimed at
    from the samples that are nearest to them, until they have so much.

    Args:
        model: the original model, in eval mode, on the device where the attack shall run.
        forget: forget samples.
        logits: (N, classes), the original model's logits of them.
        barred: (N, classes) bool, what no sample may be aimed at or kept as, see
            :func:`zspag_core.pseudo_labels.barred_labels`.
        attack: how to perturb.
        n_adv: proxies wanted per remaining class.
        fill: share of the quota, in [0, 1], up to which rarely reached classes are filled; 0 leaves them as they are.
        generator: source of randomness, on the CPU.
        report: receives how many of the proxies wanted there are.

    Source: Chen et al., ZS-PAG, equations 1 and 2.
    """
    hunt = _Hunt(model, forget, barred, attack, n_adv, generator, report)
    open_logits = logits.masked_fill(barred, -torch.inf)
    targets = open_logits.argmax(1)
    order = torch.randperm(len(forget), generator=generator)
    hunt.pursue({k: order[targets[order] == k] for k in hunt.remaining()}, n_adv)
    if quota := math.ceil(fill * n_adv):
        hunt.pursue(_nearest_first(open_logits, targets, hunt, quota), quota)
    return hunt.collect()


def _nearest_first(logits: Tensor, targets: Tensor, hunt: _Hunt, quota: int) -> dict[int, Tensor]:
    """Return, for every class under its quota, the samples that are nearest to it but were aimed elsewhere."""
    best = logits.amax(1)
    queues = {}
    for k, missing in hunt.missing(quota).items():
        gap = torch.where(targets == k, torch.inf, best - logits[:, k])
        nearest = gap.argsort()[: TRIES_PER_PROXY * missing]
        queues[k] = nearest[gap[nearest].isfinite()]
    return queues


class _Hunt:
    """The proxies found so far, and what is still to be attacked."""

    def __init__(
        self,
        model: Classifier,
        forget: Split,
        barred: Tensor,
        attack: Attack,
        n_adv: int,
        generator: torch.Generator,
        report: Reporter,
    ) -> None:
        self.model, self.forget, self.barred, self.attack = model, forget, barred, attack
        self.n_adv, self.generator, self.report = n_adv, generator, report
        self.device = device_of(model)
        self.found: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        self.counts: dict[int, int] = {}
        self.attempted = self.passes = self.planned = 0
        expected = n_adv * len(self.remaining()) * forget.images.shape[1:].numel() * FLOAT32
        self.kept_as = torch.float32 if expected <= HELD_BYTES else torch.float16

    def remaining(self) -> list[int]:
        """Return the classes that some sample may be aimed at."""
        return (~self.barred).any(0).nonzero().flatten().tolist()

    def missing(self, quota: int) -> dict[int, int]:
        """Return how many proxies each class under its quota lacks."""
        lacking = {k: quota - self.counts.get(k, 0) for k in self.remaining()}
        return {k: count for k, count in lacking.items() if count > 0}

    def pursue(self, queues: dict[int, Tensor], quota: int) -> None:
        """Attack the head of every queue until each class has its quota or the queues are empty."""
        while wanted := {
            k: queue[: quota - self.counts.get(k, 0)]
            for k, queue in queues.items()
            if len(queue) and self.counts.get(k, 0) < quota
        }:
            queues = queues | {k: queues[k][len(taken) :] for k, taken in wanted.items()}
            index = torch.cat(list(wanted.values()))
            targets = torch.cat([torch.full_like(taken, k) for k, taken in wanted.items()])
            self.planned = self.attempted + len(index)
            size = most_at_once(self.device)  # on the device at a time, whatever n_adv
            for part, aims in zip(index.split(size), targets.split(size), strict=True):
                self._attack(part, aims)

    def _attack(self, index: Tensor, targets: Tensor) -> None:
        """Attack some samples and keep what reaches a class that is not barred."""
        images = to_pixels(self.forget.images[index], self.device)
        outcome = self.attack.perturb(
            self.model, images, targets.to(self.device), generator=self.generator, report=_Within(self)
        )
        self.attempted += len(index)
        self.passes += outcome.passes
        self._keep(index, outcome)

    def _keep(self, index: Tensor, outcome: Attacked) -> None:
        reached = outcome.reached.cpu()
        readable = outcome.confidence.cpu() > 0  # 0: its logits were not finite
        kept = readable & ~self.barred[index, reached]
        wanted = kept.nonzero().flatten().tolist()
        for place in wanted:
            k = int(reached[place])
            self.counts[k] = self.counts.get(k, 0) + 1
            kept[place] = self.counts[k] <= self.n_adv  # one more is of no use, and takes memory
        images = outcome.images[kept.to(outcome.images.device)].to("cpu", self.kept_as)
        self.found.append((images, reached[kept], index[kept], outcome.confidence.cpu()[kept]))

    def tell(self, extra: int = 0) -> None:
        """Report how many samples have been attacked."""
        found = sum(self.counts.values())
        self.report.progress("proxies", self.attempted + extra, self.planned, found=found)

    def collect(self) -> ProxySet:
        """Return the proxies, at most `n_adv` a class, in the order of their classes."""
        if not self.counts:
            empty = torch.zeros(0, dtype=torch.int64)
            shape = (0, *self.forget.images.shape[1:])
            return ProxySet(torch.zeros(shape), empty, empty, torch.zeros(0), self.attempted, self.passes)
        labels, sources, confidence = (torch.cat([part[n] for part in self.found]) for n in (1, 2, 3))
        order = labels.argsort(stable=True)
        images = self._images_in(order)
        return ProxySet(images, labels[order], sources[order], confidence[order], self.attempted, self.passes)

    def _images_in(self, order: Tensor) -> Tensor:
        """Return the images in an order, and give up what was found part by part: twice may be too much."""
        places = torch.empty_like(order)
        places[order] = torch.arange(len(order))
        images = torch.empty((len(order), *self.forget.images.shape[1:]), dtype=self.kept_as)
        parts, self.found = self.found[::-1], []
        for mine in places.split([len(part[0]) for part in reversed(parts)]):
            images[mine] = parts.pop()[0]
        return images


class _Within(Reporter):
    """Passes an attack's own progress on as progress of the stage."""

    def __init__(self, hunt: _Hunt) -> None:
        self.hunt = hunt

    def progress(self, stage: str, done: int, total: int, **figures: float) -> None:
        """Report the samples that this attack has finished."""
        self.hunt.tell(done)
