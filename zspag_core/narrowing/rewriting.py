"""Put what was fitted into the weights of the writers and of the head."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zspag_core.narrowing.fitting import parts_of, pass_through, written_by
from zspag_core.narrowing.views import Views, inputs_of

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
        vector: (D,) float64: features before the last step = vector + writing @ z, times gain before a norm.
        gain: how many times louder the writers are beside the stream.
        scale: features, once read, are to be multiplied by this.
    """

    vector: Tensor
    gain: float = 1.0
    scale: float = 1.0


def base_of(model: Classifier, fitted: Fitted, code: Code, views: Views) -> Base:
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
    if model.stream is None or model.stream.norm is None:
        vector = torch.full((len(code.writing),), REACH * largest).to(code.writing)
        return Base(vector, _gain(vector, loudest))
    level = _level(code)
    vector = REACH * largest * level / level.abs().min()
    return Base(vector, _gain(vector, loudest), float(vector.norm()) / len(vector) ** 0.5)


def _gain(vector: Tensor, loudest: float) -> float:
    """Return the power of two that makes features, at their nearest to 0, so loud that a stream is rounded away."""
    least = (1 - 1 / REACH) * float(vector.abs().min())
    return 2.0 ** math.ceil(math.log2(LOUDER * loudest / least)) if loudest else 1.0


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


def rewrite(model: Classifier, fitted: Fitted, code: Code, base: Base) -> None:
    """Let the writers write z as the code says; the first one adds the base. What a stream adds is drowned."""
    stream = model.stream
    gain = 1.0 if stream is None or stream.norm is None else base.gain
    added = gain * (code.writing @ fitted.offset + base.vector)
    for writer, part in zip(model.writers, parts_of(model.writers, fitted.weights), strict=True):
        writer.layer.weight.copy_((gain * code.writing @ part).reshape(writer.layer.weight.shape))
        if writer.norm is not None:
            pass_through(writer.norm)
        place = writer.layer if writer.norm is None else writer.norm
        assert place.bias is not None, "a layer without BatchNorm has a bias of its own"  # noqa: S101
        place.bias.copy_(added)
        added = torch.zeros_like(added)
    if stream is None:
        return
    if stream.norm is None:
        stream.quieten(base.gain)
    else:
        stream.norm.weight.fill_(1.0)
        stream.norm.bias.zero_()


def rewire(head: nn.Linear, remaining: list[int], code: Code, base: Base) -> None:
    """Let the head read z: remaining logits as before but for their mean, which is 0, as are all forgotten logits."""
    head.weight.zero_()
    head.weight[remaining] = (base.scale * code.reading).to(head.weight)
    head.bias.zero_()
    head.bias[remaining] = -(code.reading @ base.vector).to(head.bias)
