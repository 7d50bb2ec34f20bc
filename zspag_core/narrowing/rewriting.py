"""Put what was fitted into the weights of the writers and of the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zspag_core.narrowing.augmentation import ImageBatches, inputs_of
from zspag_core.narrowing.fitting import parts_of, written_by

if TYPE_CHECKING:
    from zspag_core.models import Classifier
    from zspag_core.narrowing.regression import Code, Fitted

REACH = 2.0  # the base, in units of the largest value that was seen
LOUDER = 2.0**26  # what is written, in units of the stream: float32 has 24 bits
EVENING = 50  # times a base is made more even


@dataclass(frozen=True)
class Base:
    """What the new features vary around.

    Attributes:
        vector: (D,) float64: features before the last step = gain * (vector + writing @ z).
        gain: how loud the writers are.
        scale: features, once read, are to be multiplied by this.
    """

    vector: Tensor
    gain: float = 1.0
    scale: float = 1.0


def base_of(model: Classifier, fitted: Fitted, code: Code, views: ImageBatches) -> Base:
    """Return a base that the features, as far as they have been seen, never leave by more than 1 / REACH of it."""
    weights, offset = ((code.writing @ part).float().to(views.device) for part in (fitted.weights, fitted.offset))
    largest, loudest = 0.0, 0.0
    with inputs_of(model) as seen:
        for pixels in views.plain():
            model(pixels)
            values = written_by(model.writers, seen.take(), weights) + offset[:, None]
            largest = max(largest, float(values.abs().max()))
            if seen.stream is not None:
                loudest = max(loudest, float(seen.stream.abs().max()))
    if model.stream is None:
        return Base(torch.full((len(code.writing),), REACH * largest).to(code.writing))
    level = _level(code)
    vector = REACH * largest * level / level.abs().min()
    least = (1 - 1 / REACH) * float(vector.abs().min())  # a feature, at the nearest to 0
    return Base(vector, LOUDER * loudest / least, float(vector.norm()) / len(vector) ** 0.5)


def _level(code: Code) -> Tensor:
    """Return a direction (D,) that neither the code nor a mean over features sees, with entries as even as may be."""
    size = len(code.writing)
    ones = torch.ones(size, 1).to(code.writing)
    taken = torch.linalg.qr(torch.cat([ones, code.writing], dim=1))[0]
    level = 1.0 - 2.0 * (torch.arange(size) % 2).to(code.writing)
    for _ in range(EVENING):
        level = torch.where(level < 0, -1.0, 1.0).to(code.writing)
        level = level - taken @ (taken.T @ level)
    return level


def switch_off(norms: tuple[nn.BatchNorm2d, ...]) -> None:
    """Let BatchNorms give 0, so that a block hands on what it is given and adds nothing."""
    for norm in norms:
        norm.weight.zero_()
        norm.bias.zero_()


def rewrite(model: Classifier, fitted: Fitted, code: Code, base: Base) -> None:
    """Let the writers write z as the code says; the first one adds the base."""
    added = base.gain * (code.writing @ fitted.offset + base.vector)
    for writer, part in zip(model.writers, parts_of(model.writers, fitted.weights), strict=True):
        writer.layer.weight.copy_((base.gain * code.writing @ part).reshape(writer.layer.weight.shape))
        if writer.norm is not None:
            _pass_through(writer.norm)
        place = writer.layer if writer.norm is None else writer.norm
        assert place.bias is not None, "a layer without BatchNorm has a bias of its own"  # noqa: S101
        place.bias.copy_(added)
        added = torch.zeros_like(added)
    if model.stream is not None:
        model.stream.norm.weight.fill_(1.0)
        model.stream.norm.bias.zero_()


def _pass_through(norm: nn.BatchNorm2d) -> None:
    """Make a BatchNorm in eval mode leave everything as it is, but for its bias."""
    assert norm.running_mean is not None, "the norm counts"  # noqa: S101
    assert norm.running_var is not None, "the norm counts"  # noqa: S101
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0)
    norm.weight.fill_((1.0 + norm.eps) ** 0.5)


def rewire(head: nn.Linear, remaining: list[int], code: Code, base: Base) -> None:
    """Let the head read z: remaining logits as before but for their mean, which is 0, as are all forgotten logits."""
    head.weight.zero_()
    head.weight[remaining] = (base.scale * code.reading).to(head.weight)
    head.bias.zero_()
    head.bias[remaining] = -(code.reading @ base.vector).to(head.bias)
