"""The arrays of a run folder, which pages draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zspag_core.data.images import in_memory
from zspag_core.files import let_read, replace_file
from zspag_core.metrics.predictions import outputs_of_pixels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from zspag_core.data.dataset import Split
    from zspag_core.metrics.backdoor import Triggered
    from zspag_core.metrics.grade import Grade
    from zspag_core.models import Classifier
    from zspag_core.proxies import ProxySet
    from zspag_core.pseudo_labels import PseudoLabels

MEASURES = ("entropy", "confidence", "loss")
TRIGGERED_SHOWN = 8
GROUPS = ("retain_train", "retain_test", "forget_train", "forget_test")

Arrays = dict[str, torch.Tensor]


def save_arrays(path: Path, arrays: Mapping[str, Tensor]) -> None:
    """Write tensors as one safetensors file, without a copy in memory; equal tensors give equal bytes."""
    from safetensors.torch import save_file

    plain = {name: array.detach().cpu().contiguous() for name, array in arrays.items()}
    with replace_file(path) as partial:
        save_file(plain, partial)
        let_read(partial)


def proxy_arrays(proxies: ProxySet, forget: Split, original: Classifier, unlearned: Classifier | None) -> Arrays:
    """Return the proxies beside what they were made from and what the models read in them.

    Args:
        proxies: M of them.
        forget: the forget samples that their `sources` count in.
        original: the model before.
        unlearned: the model after; None for a run that did not come to its end.

    Returns:
        images (M, C, H, W) float16 in [0, 1], originals (M, C, H, W) uint8, labels (M,) int64, sources (M,) int64,
        confidence (M,) float32, logits_before and, with a model after, logits_after (M, classes) float32. The logits
        are those of the images as they stand in the file.
    """
    images = proxies.images.half()
    arrays = {
        "images": images,
        "originals": in_memory(forget.images[proxies.sources]),
        "labels": proxies.labels,
        "sources": proxies.sources,
        "confidence": proxies.confidence,
    }
    models = {"logits_before": original} | ({"logits_after": unlearned} if unlearned is not None else {})
    if len(proxies):
        arrays |= {name: outputs_of_pixels(model, images).logits for name, model in models.items()}
    return arrays


def label_arrays(labels: PseudoLabels, truth: Tensor) -> Arrays:
    """Return the labels that were taught.

    Args:
        labels: of N forget samples.
        truth: (N,) int64, their true labels.

    Returns:
        labels (N, classes) float32, truth (N,) int64 and, where it was computed, influences (N, classes) float32.
    """
    arrays = {"labels": labels.labels.float(), "truth": truth}
    return arrays | ({"influences": labels.influences.float()} if labels.influences is not None else {})


def backdoor_arrays(triggered: Triggered) -> Arrays:
    """Return the first few triggered images and what the models read in them.

    Args:
        triggered: N images with their predictions.

    Returns:
        images (n, C, H, W) uint8, before (n,) int64 and, with a model after, after (n,) int64; n is at most 8.
    """
    shown = in_memory(triggered.images[:TRIGGERED_SHOWN])
    arrays = {"images": shown, "before": triggered.before[:TRIGGERED_SHOWN]}
    return arrays | ({"after": triggered.after[:TRIGGERED_SHOWN]} if triggered.after is not None else {})


def grading_arrays(before: Grade, after: Grade | None) -> Arrays:
    """Return the outputs behind the figures of result.json.

    Args:
        before: the original model's grade.
        after: the unlearned model's; None for a run that did not come to its end.

    Returns:
        test.labels (T,) int64; per grade `when` test.{when} (T, classes) float32 logits, in the order of the test
        split, and mia.{when}.{group}.{measure} (n,) float32 for every group and measure of membership inference. What
        there are no images of is left out.
    """
    arrays = {"test.labels": before.tested.labels} if len(before.tested) else {}
    for when, grade in {"before": before, "after": after}.items():
        if grade is None:
            continue
        arrays |= {f"test.{when}": grade.tested.logits} if len(grade.tested) else {}
        for group in GROUPS:
            outputs = getattr(grade.scores, group)
            if not len(outputs):
                continue
            arrays |= {f"mia.{when}.{group}.{measure}": getattr(outputs, measure).float() for measure in MEASURES}
    return arrays
