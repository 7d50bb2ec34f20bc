"""One set of proxies against which all trials of a sweep are held, made of the images to forget alone.

Every trial makes proxies of its own, with its own budget and number: the fewer and the easier they are, the better a
model does on them. So trials are compared on common ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zspag_core.methods.stages import Stages
from zspag_core.methods.zspag import ZSPAG
from zspag_core.metrics.accuracy import percent
from zspag_core.metrics.predictions import logits_of, outputs_of_pixels
from zspag_core.progress import SILENT, AsStage, Reporter
from zspag_core.pseudo_labels import barred_labels
from zspag_core.runs.shared_cache import shared_with_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from zspag_core.data.dataset import Split
    from zspag_core.models import Classifier
    from zspag_core.proxies import ProxySet
    from zspag_core.runs.prepare import Prepared

PART = "yardstick"
SEED = 1_000_003
"""Of its own: no trial's proxies are drawn by it."""


def common_proxies(prepared: Prepared, report: Reporter = SILENT) -> ProxySet:
    """Return the yardstick of a model and its forget samples: proxies at ZS-PAG's defaults, made once and kept."""
    return shared_with_all(prepared, PART).once(PART, lambda: _make(prepared, report))


def _make(prepared: Prepared, report: Reporter) -> ProxySet:
    model = prepared.checkpoint.model.to(prepared.device)
    return make_yardstick(model, prepared.forget, prepared.config.classes, report)


def make_yardstick(model: Classifier, forget: Split, classes: Sequence[int], report: Reporter = SILENT) -> ProxySet:
    """Return the yardstick: proxies at ZS-PAG's defaults.

    Args:
        model: the original, on its device.
        forget: images of the classes to forget.
        classes: these classes.
        report: receives how many are made.
    """
    barred = barred_labels(forget.labels, classes, model.config.num_classes)
    generator = torch.Generator().manual_seed(SEED)
    logits = logits_of(model, forget.images)
    own_stage = AsStage(report, PART)  # its proxies are none of the run's
    return Stages(ZSPAG(), model, forget, logits, tuple(classes), barred, generator, own_stage).proxies()


def measure(
    prepared: Prepared, unlearned: Classifier, proxies: ProxySet, own: Mapping[str, Tensor]
) -> dict[str, float | None]:
    """Return what the images to forget and proxies say of a trial.

    Args:
        prepared: the run.
        unlearned: what it came to, on its device.
        proxies: the yardstick.
        own: "labels" (M,) and "logits_after" (M, classes) of the run's own proxies; empty where it makes none.

    Returns:
        {"forgotten": percent of the images to forget still read as their class, "agreement": percent of the yardstick
        read as before, "confidence": mean probability of its classes in percent, "divergence": mean KL divergence from
        the original's answers without the forgotten classes, nats, "own_agreement", "own_confidence": of the run's own
        proxies}; None where there is nothing to ask about.
    """
    seen = prepared.seen
    forgotten = percent(logits_of(unlearned, seen.images).argmax(1) == seen.labels)
    found: dict[str, float | None] = {"forgotten": forgotten, "agreement": None, "confidence": None, "divergence": None}
    if len(proxies):
        after = outputs_of_pixels(unlearned, proxies.images).logits
        before = outputs_of_pixels(prepared.checkpoint.model, proxies.images).logits
        agreement, confidence = kept(after, proxies.labels)
        apart = divergence(before, after, prepared.config.classes)
        found |= {"agreement": agreement, "confidence": confidence, "divergence": apart}
    own_agreement, own_confidence = kept(own["logits_after"], own["labels"]) if "logits_after" in own else (None, None)
    return found | {"own_agreement": own_agreement, "own_confidence": own_confidence}


def divergence(before: Tensor, after: Tensor, forgotten: tuple[int, ...]) -> float:
    """Return the mean KL divergence, nats, of answers (M, classes) after from those before without some classes."""
    masked = before.double().clone()
    masked[:, list(forgotten)] = -torch.inf
    p, q = masked.log_softmax(1), after.double().log_softmax(1)
    return float(torch.where(p.exp() > 0, p.exp() * (p - q), 0.0).sum(1).mean())


def kept(logits: Tensor, labels: Tensor) -> tuple[float | None, float]:
    """Return the share read as the label and the mean probability of the label, percent."""
    sure = logits.double().softmax(1).gather(1, labels[:, None]).mean()
    return percent(logits.argmax(1) == labels), float(sure) * 100
