"""Narrow a network's features, or say why it cannot be done."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from zspag_core.errors import UsageError
from zspag_core.layers import weight_layers
from zspag_core.narrowing.augmentation import ImageBatches
from zspag_core.narrowing.fitting import fit, lay_bypass, refine
from zspag_core.narrowing.regression import Code
from zspag_core.narrowing.rewriting import base_of, rewire, rewrite, switch_off
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from zspag_core.data.images import Pictures
    from zspag_core.models import Classifier


@dataclass(frozen=True)
class Narrowed:
    """A network whose features were narrowed.

    Attributes:
        model: the new network.
        width: directions in which its features still vary.
        fit: share of the remaining logits' variance that the new features explain, on the images fitted to.
        rewritten: the layers whose weights are others now, by name.
    """

    model: Classifier
    width: int
    fit: float
    rewritten: tuple[str, ...]


@torch.no_grad()
def narrow(
    model: Classifier,
    images: list[Pictures],
    forgotten: tuple[int, ...],
    *,
    passes: int,
    generator: torch.Generator,
    report: Reporter = SILENT,
) -> Narrowed:
    """Return a copy of the network whose features carry the differences of the remaining logits and nothing else.

    The forgotten classes' logits become the mean of the remaining ones, so that they are never the largest.

    Args:
        model: in eval mode, on the device to compute on; it is not changed.
        images: groups of images (N, C, H, W), uint8 or float in [0, 1]: what the new layers are fitted to.
        forgotten: classes that nothing is kept of.
        passes: over all images, to refine the fit together with the layer before the writers; 0 for the fit alone.
        generator: source of shifts and mirrorings, on the CPU.
        report: receives how many images have been looked at, as stage "narrow".

    Raises:
        UsageError: this network's features are written in another way, fewer than two classes remain, or too many.
    """
    check_narrow(model, forgotten)
    remaining = [k for k in range(model.config.num_classes) if k not in forgotten]
    code = Code.of(model, remaining)
    looks = passes + (2 if model.stream is None else 3)
    views = ImageBatches(images, looks, model, generator, report)
    result = copy.deepcopy(model)
    switch_off(result.additions)
    if model.stream is not None:
        lay_bypass(model, result, remaining, code, views)
    as_it_was = model.stream is None and not model.additions  # then one forward pass serves both
    fitted = fit(model, model if as_it_was else result, remaining, code, views)
    if passes:
        fitted = refine(model, result, fitted, remaining, code, views, passes)
    base = base_of(result, fitted, code, views)
    rewrite(result, fitted, code, base)
    rewire(result.head, remaining, code, base)
    after = weight_layers(result)
    rewritten = (name for name, layer in weight_layers(model).items() if not layer.weight.equal(after[name].weight))
    return Narrowed(result, code.width, fitted.explained, tuple(rewritten))


def check_narrow(model: Classifier, forgotten: tuple[int, ...]) -> None:
    """Refuse, before any work, what :func:`narrow` cannot do.

    Raises:
        UsageError: this network's features are written in another way, fewer than two classes remain, or too many.
    """
    if not model.writers:
        raise UsageError(
            f"narrow: expected a network whose features can be rewritten (VGG, AlexNet, ViT, a ResNet whose last stage "
            f"has a projection), got {model.config.source_name or model.architecture}; leave the preset 'deep' aside, "
            "or set narrow to 0"
        )
    remaining, features = model.config.num_classes - len(set(forgotten)), model.head.in_features
    if remaining < 2:
        raise UsageError(f"narrow: expected at least two remaining classes, got {remaining}")
    if model.stream is not None and remaining >= features:
        raise UsageError(
            f"narrow: expected fewer remaining classes than the {features} features of this network, got {remaining}"
        )
