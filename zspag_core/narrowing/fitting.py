"""Find weights with which the layers that write the features write what they shall carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zspag_core.devices import exact, mixed_precision
from zspag_core.layers import WeightLayer, input_dim, input_rows, output_of, weight_layers
from zspag_core.narrowing.augmentation import ImageBatches, inputs_of
from zspag_core.narrowing.regression import Code, Fitted, Moments

if TYPE_CHECKING:
    from zspag_core.models import Classifier
    from zspag_core.models.base import Writer

BYPASS = 4  # one hidden unit of so many may be half of a pair that hands on what it is given
RATE = 1e-3


def fit(model: Classifier, result: Classifier, remaining: list[int], code: Code, views: ImageBatches) -> Fitted:
    """Fit the z of `model` to what enters the writers of `result`, means over places."""
    moments = Moments(sum(input_dim(writer.layer) for writer in result.writers), code, views.device)
    with inputs_of(result) as seen:
        for pixels in views.plain():
            features = result.embed(pixels)
            entered = [_mean_rows(*pair) for pair in zip(result.writers, seen.take(), strict=True)]
            logits = model.head(features) if model is result else model(pixels)
            moments.add(torch.cat(entered, dim=1), code.wanted(logits[:, remaining]))
    return moments.solve()


def lay_bypass(model: Classifier, result: Classifier, remaining: list[int], code: Code, views: ImageBatches) -> None:
    """Let pairs of hidden units of the last MLP of `result` hand on the directions of its input that z depends on most.

    The units are those that a regression of z on both, input and hidden units, needs least.
    """
    (writer,), inner = result.writers, _layer_before(result)
    width = input_dim(inner)
    moments = Moments(width + input_dim(writer.layer), code, views.device)
    with inputs_of(model, _layer_before(model)) as seen:
        for pixels in views.plain():
            wanted = code.wanted(model(pixels)[:, remaining])
            moments.add(exact(torch.cat(seen.take(), dim=1)), wanted)
    straight, hidden = moments.solve().weights.split([width, input_dim(writer.layer)], dim=1)
    directions = torch.linalg.svd(straight, full_matrices=False)[2][: input_dim(writer.layer) // BYPASS]
    unused = (hidden.square().sum(0) * moments.variances[width:]).argsort()[: 2 * len(directions)]
    inner.weight[unused] = torch.cat([directions, -directions]).to(inner.weight)
    assert inner.bias is not None, "the layers of an MLP have biases"  # noqa: S101
    inner.bias[unused] = 0.0


def refine(
    model: Classifier,
    result: Classifier,
    fitted: Fitted,
    remaining: list[int],
    code: Code,
    views: ImageBatches,
    passes: int,
) -> Fitted:
    """Move the fit, and in `result` the layer before the writers, so that z comes nearer to what `model` gives."""
    inner = _layer_before(result)
    result.requires_grad_(False)  # noqa: FBT003 - torch's signature; nothing below the layer needs a backward pass
    inner.weight.requires_grad_()
    weights, offset = (part.float().to(views.device).requires_grad_() for part in (fitted.weights, fitted.offset))
    optimizer = torch.optim.Adam([inner.weight, weights, offset], lr=RATE)
    steps = passes * views.batches
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    error = 0.0
    with inputs_of(result) as seen:
        for _ in range(passes):
            error, count = 0.0, 0
            for pixels in views.mixed():
                with mixed_precision(views.device):
                    wanted = code.wanted(model(pixels)[:, remaining]).to(weights)
                with torch.enable_grad(), mixed_precision(views.device):
                    result.embed(pixels)
                    found = written_by(result.writers, seen.take(), weights).float().mean(2) + offset
                    apart = (found - wanted).square().sum(1).mean() / fitted.spread
                apart.backward()
                optimizer.step()
                optimizer.zero_grad()
                schedule.step()
                error, count = error + float(apart) * len(pixels), count + len(pixels)
            error /= count
    inner.weight.grad = None
    for new, old in zip(result.parameters(), model.parameters(), strict=True):
        new.requires_grad_(old.requires_grad)
    return Fitted(exact(weights.detach()), exact(offset.detach()), fitted.spread, 1 - error)


def written_by(writers: tuple[Writer, ...], inputs: list[Tensor], weights: Tensor) -> Tensor:
    """Return what writers with other weights (outputs, all inputs) would write together, (N, outputs, places)."""
    each = zip(writers, inputs, parts_of(writers, weights), strict=True)
    written = [
        output_of(writer.layer, part.reshape(-1, *writer.layer.weight.shape[1:]), entered)
        for writer, entered, part in each
    ]
    return torch.stack([part.reshape(*part.shape[:2], -1) for part in written]).sum(0)


def parts_of(writers: tuple[Writer, ...], weights: Tensor) -> tuple[Tensor, ...]:
    """Cut weights (outputs, all inputs) into those of every writer."""
    parts: tuple[Tensor, ...] = weights.split([input_dim(writer.layer) for writer in writers], dim=1)
    return parts


def _mean_rows(writer: Writer, inputs: Tensor) -> Tensor:
    """Return the mean over places of what enters a writer, (N, dim) float64."""
    rows = input_rows(writer.layer, inputs)[0]
    return exact(rows.reshape(len(inputs), -1, rows.shape[1]).mean(1))


def _layer_before(model: Classifier) -> WeightLayer:
    """Return the weight layer that comes just before the first writer."""
    layers = list(weight_layers(model).values())
    place = next(number for number, layer in enumerate(layers) if layer is model.writers[0].layer)
    return layers[max(0, place - 1)]
