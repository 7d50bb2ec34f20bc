"""The instant preview: what the attack makes of a few forget images, before anything is unlearnt."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.compatibility import check_fit
from zspag_core.data import to_pixels
from zspag_core.devices import device_of
from zspag_core.hyperparameters import configure
from zspag_core.methods.zspag import ZSPAG
from zspag_core.metrics.predictions import logits_of
from zspag_core.progress import SILENT
from zspag_core.pseudo_labels import barred_labels
from zspag_core.runs.samples import as_trained, find_forget, forget_samples
from zspag_core.tasks.model_cache import cached_checkpoint, cached_dataset
from zspag_core.tasks.pictures import to_data_url

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.attacks import Attacked
    from zspag_core.data.dataset import LoadedSplit
    from zspag_core.jobs.records import Job
    from zspag_core.progress import Reporter

IMAGES, EXAMPLES = 64, 6
LONGEST = 96


def preview_attack(job: Job, report: Reporter = SILENT) -> dict[str, Any]:
    """Attack 64 forget images, as the model was trained on them, each aimed at its best class that a run may take.

    Args:
        job: its config is {"checkpoint", "data", "forget": classes, "settings": of ZS-PAG's attack, "seed"}, and
            maybe "images", how many there are to be instead.
        report: receives progress after every step of the attack.

    Returns:
        {"asr" (percent of the images that reach a remaining class), "attempted", "linf", "l2" (mean size of the
        change; pixels lie in [0, 1]), "mean_confidence" (of the successes, None without any), "per_class": {class:
        successes}, "examples": [{"original", "noise", "proxy" (data URLs), "from" (label in training), "to" (class
        reached), "confidence", "success"}], "seconds"}

    Raises:
        UsageError: a setting or a class is out of range, or model and data do not fit.
    """
    attack = configure(ZSPAG, job.config.get("settings", {})).build_attack()
    report.progress("load", 0, 2)
    checkpoint = cached_checkpoint(str(job.config["checkpoint"]), job.device)
    report.progress("load", 1, 2)
    dataset = cached_dataset(str(job.config["data"]), checkpoint)
    check_fit(checkpoint, dataset)
    forget = find_forget(job.config["forget"], dataset)
    dataset = as_trained(dataset, checkpoint.about, forget)
    start = time.perf_counter()
    count = min(IMAGES, int(job.config.get("images", IMAGES)))
    model, generator = checkpoint.model, torch.Generator().manual_seed(int(job.config.get("seed", 0)))
    samples = forget_samples(dataset, forget, checkpoint.about).sample(count, generator).loaded()
    barred = barred_labels(samples.labels, forget, dataset.num_classes)
    pixels = to_pixels(samples.images, device_of(model))
    aims = logits_of(model, samples.images).masked_fill(barred, -torch.inf).argmax(1).to(pixels.device)
    outcome = attack.perturb(model, pixels, aims, generator=generator, report=report)
    answer = _figures(pixels, outcome, barred) | {"examples": _examples(samples, outcome, barred)}
    return answer | {"seconds": time.perf_counter() - start}


def _succeeded(outcome: Attacked, barred: Tensor) -> Tensor:
    """Return which images (n,) bool are proxies: read as a class that is not barred, (n, classes) bool."""
    reached = outcome.reached.cpu()
    return (outcome.confidence.cpu() > 0) & ~barred[torch.arange(len(reached)), reached]


def _figures(clean: Tensor, outcome: Attacked, barred: Tensor) -> dict[str, Any]:
    """Return the numbers of the answer."""
    success, change = _succeeded(outcome, barred), (outcome.images - clean).flatten(1)
    reached, counts = outcome.reached.cpu()[success].unique(return_counts=True)
    return {
        "asr": 100 * float(success.double().mean()),
        "attempted": len(success),
        "linf": float(change.abs().amax(1).mean()),
        "l2": float(change.norm(dim=1).mean()),
        "mean_confidence": float(outcome.confidence.cpu()[success].mean()) if bool(success.any()) else None,
        "per_class": dict(zip(map(str, reached.tolist()), counts.tolist(), strict=True)),
    }


def _examples(samples: LoadedSplit, outcome: Attacked, barred: Tensor) -> list[dict[str, Any]]:
    """Return pictures of a few images, successes of different classes first."""
    success, reached = _succeeded(outcome, barred), outcome.reached.cpu()
    images, confidence = outcome.images.cpu(), outcome.confidence.cpu()
    found = []
    for row in _varied(success, reached)[:EXAMPLES]:
        change = images[row] - samples.images[row].float() / 255
        noise = 0.5 + change / (2 * change.abs().max().clamp_min(1e-12))  # its largest value fills the range
        found.append(
            {
                "original": to_data_url(samples.images[row], LONGEST),
                "noise": to_data_url(_bytes(noise), LONGEST),
                "proxy": to_data_url(_bytes(images[row]), LONGEST),
                "from": int(samples.labels[row]),
                "to": int(reached[row]),
                "confidence": float(confidence[row]),
                "success": bool(success[row]),
            }
        )
    return found


def _varied(success: Tensor, reached: Tensor) -> list[int]:
    """Return the rows so that successes come first, and among them the first of each class before the second."""
    seen: dict[tuple[bool, int], int] = {}
    ranked = []
    for row, key in enumerate(zip(success.tolist(), reached.tolist(), strict=True)):
        seen[key] = seen.get(key, 0) + 1
        ranked.append((not key[0], seen[key], row))
    return [row for _failed, _turn, row in sorted(ranked)]


def _bytes(pixels: Tensor) -> Tensor:
    """Return pixels in [0, 1] as bytes."""
    return (pixels * 255).round().clamp(0, 255).to(torch.uint8)
