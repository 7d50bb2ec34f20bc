"""What figures 3 and 4 show, as plain values: attention before and after, and proxies among real samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from zspag_core.data.dataset import to_pixels
from zspag_core.explain.gradcam import attention, default_layer
from zspag_core.explain.watch import choose_watched
from zspag_core.metrics.predictions import LabelledLogits, logits_of, outputs_of, outputs_of_pixels
from zspag_core.metrics.proxy_quality import knn_agreement
from zspag_core.metrics.similarity import mean_correlation

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.data.dataset import Split
    from zspag_core.methods import Unlearned
    from zspag_core.models import Classifier
    from zspag_core.reproduce.subject import Subject

CORRELATED_IMAGES = 200
MAPPED_IMAGES = 1000
MAPPED_PROXIES = 600
SEED = 0


def attended(subject: Subject, run: Unlearned) -> dict[str, Any]:
    """Return GradCAM maps of two forgotten and two remaining test images before and after.

    Every map is of the image's own label, unscaled; a second one after unlearning is of the class that is then read.
    `similarity` is the mean correlation of own maps before and after, on up to 200 images of each kind.
    """
    before, after, test = subject.original.model, run.model, subject.dataset.test
    layer = default_layer(before)
    assert layer is not None, "every architecture has layers to draw"  # noqa: S101
    chosen = choose_watched(LabelledLogits(logits_of(before, test.images), test.labels), subject.forget)
    watched = test[chosen].loaded()
    own = [_look(model, watched, watched.labels, layer) for model in (before, after)]
    predicted = logits_of(after, watched.images).argmax(1)
    return {
        "layer": layer,
        "class_names": list(subject.dataset.class_names),
        "images": watched.images.tolist(),
        "labels": watched.labels.tolist(),
        "predicted": predicted.tolist(),
        "before": own[0].tolist(),
        "after": own[1].tolist(),
        "after_predicted": _look(after, watched, predicted, layer).tolist(),
        "similarity": {
            "forgotten": _similarity(subject, run, layer, test.of_classes(subject.forget)),
            "remaining": _similarity(subject, run, layer, test.without_classes(subject.forget)),
        },
    }


def mapped(subject: Subject, run: Unlearned) -> dict[str, Any]:
    """Return where real test images and proxies lie on one UMAP of the original model's features.

    The map is fitted on the real images; proxies are laid onto it.
    """
    from zspag_core.explain.embedding import UMAPMap

    assert run.proxies is not None, "ZS-PAG makes proxies"  # noqa: S101
    generator = torch.Generator().manual_seed(SEED)
    model, real = subject.original.model, subject.dataset.test.sample(MAPPED_IMAGES, generator)
    drawn = torch.randperm(len(run.proxies), generator=generator)[:MAPPED_PROXIES]
    proxies, labels = run.proxies.images[drawn], run.proxies.labels[drawn]
    there, here = outputs_of(model, real.images).features, outputs_of_pixels(model, proxies).features
    flat = UMAPMap(there.numpy(), SEED)
    return {
        "class_names": list(subject.dataset.class_names),
        "forget": list(subject.forget),
        "real": flat.fitted.tolist(),
        "real_labels": real.labels.tolist(),
        "proxies": flat.place(here.numpy()).tolist(),
        "proxy_labels": labels.tolist(),
        "agreement": knn_agreement(here, labels.cpu(), there, real.labels),
        "asr": run.proxies.asr,
    }


def _look(model: Classifier, split: Split, targets: Tensor, layer: str) -> Tensor:
    """Return unscaled maps (N, h, w)."""
    return attention(model, to_pixels(split.images), targets, layer).maps


def _similarity(subject: Subject, run: Unlearned, layer: str, split: Split) -> float | None:
    """Return how alike own maps are before and after."""
    few = split.sample(CORRELATED_IMAGES, torch.Generator().manual_seed(SEED))
    maps = [_look(model, few, few.labels, layer) for model in (subject.original.model, run.model)]
    return mean_correlation(*maps)
