"""Rewrite the layers that write a network's features, so that they carry only what tells the remaining classes apart.

The head reads of the features nothing but the differences of its rows: for R remaining classes, at most R - 1
directions. Whatever else is in the features serves a probe, not the answer. The layers that write them are therefore
fitted anew, in closed form, to the remaining logits as the network computes them, and everything else is left out; then
a forgotten class can only be found as far as the remaining logits give it away. The images that this is fitted to are
those that zero-shot unlearning has: forget samples and proxies, also shifted and mirrored.

Features must be a mean over places of ReLU(a + b + ...), each summand written by a convolution or linear layer (with
BatchNorm or without): a common base is added, so large that no ReLU cuts anything off, and the new features are linear
in what enters these layers. Or they are the class token of LayerNorm(stream + a), as a transformer has them: the norm
takes out any gain, so a is written so loud that float32 rounds the stream away, on a base that the norm leaves alone.
What the stream told the head goes on through a few hidden units of the last MLP, in pairs: act(x) - act(-x) = x.
"""

from __future__ import annotations

import copy
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zspag_core.data.augment import crop_and_flip
from zspag_core.data.dataset import to_pixels
from zspag_core.devices import device_of, exact, exact_device, images_at_once, mixed_precision
from zspag_core.errors import UnlearningError
from zspag_core.layers import WeightLayer, input_dim, input_rows, output_of, weight_layers
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zspag_core.models import Classifier
    from zspag_core.models.base import Writer

SHIFT = 8  # an image is shifted by up to a side / SHIFT
RIDGE = 1e-3  # of the inputs' mean square, added to their covariance
REACH = 2.0  # the base, in units of the largest value that was seen
LOUDER = 2.0**26  # what is written, in units of the stream: float32 has 24 bits
BYPASS = 4  # one hidden unit of so many may be half of a pair that hands on what it is given
EVENING = 50  # times a base is made more even
RANK_TOLERANCE = 1e-4
RATE = 1e-3
BATCH = 128


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
    images: list[Tensor],
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
        report: told how many images have been looked at, as stage "narrow".

    Raises:
        UnlearningError: this network's features are written in another way, or fewer than two classes remain.
    """
    check_narrow(model, forgotten)
    remaining = [k for k in range(model.config.num_classes) if k not in forgotten]
    code = _Code.of(model, remaining)
    looks = passes + (2 if model.stream is None else 3)
    views = _Views(images, looks, device_of(model), generator, report)
    result = copy.deepcopy(model)
    if model.stream is None:
        fitted = _fit(model, model, remaining, code, views)
    else:
        _lay_bypass(model, result, remaining, code, views)
        fitted = _fit(model, result, remaining, code, views)
    if passes:
        fitted = _refine(model, result, fitted, remaining, code, views, passes)
    base = _base_of(result, fitted, code, views)
    _rewrite(result, fitted, code, base)
    _rewire(result.head, remaining, code, base)
    after = weight_layers(result)
    rewritten = (name for name, layer in weight_layers(model).items() if not layer.weight.equal(after[name].weight))
    return Narrowed(result, code.width, fitted.explained, tuple(rewritten))


def check_narrow(model: Classifier, forgotten: tuple[int, ...]) -> None:
    """Refuse, before any work, what :func:`narrow` cannot do.

    Raises:
        UnlearningError: this network's features are written in another way, or fewer than two classes remain.
    """
    if not model.writers:
        raise UnlearningError(
            f"narrow: expected a network whose features are written by one layer (VGG, AlexNet, ViT, a ResNet whose "
            f"last block has a projection), got {model.architecture}; set narrow to 0"
        )
    remaining = model.config.num_classes - len(set(forgotten))
    if remaining < 2:
        raise UnlearningError(f"narrow: expected at least two remaining classes, got {remaining}")


@dataclass(frozen=True)
class _Code:
    """What the features shall carry: z, the coordinates of the remaining logits less their mean.

    Attributes:
        axes: (R, m) float64, orthonormal columns that sum to zero: logits less their mean = axes @ z.
        writing: (D, m) float64: features = an offset + writing @ z.
        reading: (R, D) float64: reads the logits, less their mean, off such features.
    """

    axes: Tensor
    writing: Tensor
    reading: Tensor

    @classmethod
    def of(cls, model: Classifier, remaining: list[int]) -> _Code:
        """Return the code that the remaining rows of the head read; features after a LayerNorm have no mean."""
        rows = exact(model.head.weight.detach()[remaining])
        if model.stream is not None:
            rows = rows - rows.mean(1, keepdim=True)
        differences = rows - rows.mean(0)
        axes, lengths, directions = torch.linalg.svd(differences, full_matrices=False)
        kept = lengths > RANK_TOLERANCE * lengths[0]
        axes, lengths, directions = axes[:, kept], lengths[kept], directions[kept]
        return cls(axes, directions.T / lengths, axes @ (lengths[:, None] * directions))

    @property
    def width(self) -> int:
        """Return m, the number of coordinates."""
        return self.axes.shape[1]

    def wanted(self, logits: Tensor) -> Tensor:
        """Return z (N, m) of remaining logits (N, R)."""
        return exact(logits) @ self.axes


@dataclass(frozen=True)
class _Fitted:
    """z = weights @ inputs + offset.

    Attributes:
        weights: (m, all inputs) float64.
        offset: (m,) float64.
        spread: variance of z, all coordinates together.
        explained: share of the variance of z that this explains.
    """

    weights: Tensor
    offset: Tensor
    spread: float
    explained: float


@dataclass(frozen=True)
class _Base:
    """What the new features vary around.

    Attributes:
        vector: (D,) float64: features before the last step = gain * (vector + writing @ z).
        gain: how loud the writers are.
        scale: features, once read, are to be multiplied by this.
    """

    vector: Tensor
    gain: float = 1.0
    scale: float = 1.0


class _Views:
    """Batches of images as pixels on the device, with counted progress."""

    def __init__(
        self,
        images: list[Tensor],
        looks: int,
        device: torch.device,
        generator: torch.Generator,
        report: Reporter,
    ) -> None:
        self.images, self.device, self.generator, self.report = images, device, generator, report
        self.done, self.total = 0, looks * sum(map(len, images))

    @property
    def batches(self) -> int:
        """Return how many batches `mixed` yields."""
        return math.ceil(sum(map(len, self.images)) / BATCH)

    def plain(self) -> Iterator[Tensor]:
        """Yield every image as it is."""
        for group in self.images:
            for batch in group.split(images_at_once(self.device)):
                yield self._counted(self._pixels(batch))

    def mixed(self) -> Iterator[Tensor]:
        """Yield every image once, all groups mixed, in random order; two batches of three moved and mirrored."""
        places = [(n, place) for n, group in enumerate(self.images) for place in range(len(group))]
        batches = torch.randperm(len(places), generator=self.generator).split(BATCH)
        for batch, drawn in enumerate(batches):
            chosen = [places[number] for number in drawn.tolist()]
            parts = [[place for n, place in chosen if n == group] for group in range(len(self.images))]
            pixels = torch.cat(
                [self._pixels(group[part]) for group, part in zip(self.images, parts, strict=True) if part]
            )
            if batch % 3:
                padding = max(1, pixels.shape[-1] // SHIFT)
                pixels = crop_and_flip(pixels, padding=padding, flip=True, generator=self.generator, beyond="reflect")
            yield self._counted(pixels)

    def _pixels(self, batch: Tensor) -> Tensor:
        return batch.to(self.device) if batch.is_floating_point() else to_pixels(batch, self.device)

    def _counted(self, pixels: Tensor) -> Tensor:
        self.done += len(pixels)
        self.report.progress("narrow", self.done, self.total)
        return pixels.contiguous(memory_format=torch.channels_last)


class _Moments:
    """Sums over images of what enters some layers, beside z: all that a ridge regression needs."""

    def __init__(self, inputs: int, code: _Code, device: torch.device) -> None:
        self.inputs, size = inputs, inputs + code.width
        self.square = torch.zeros(size, size, dtype=torch.float64, device=exact_device(device))
        self.total, self.count = self.square.new_zeros(size), 0

    def add(self, entered: Tensor, wanted: Tensor) -> None:
        """Add (N, inputs) and the z (N, width) that belong to it."""
        joined = torch.cat([entered, wanted], dim=1)
        self.square += joined.T @ joined
        self.total += joined.sum(0)
        self.count += len(joined)

    def solve(self) -> _Fitted:
        """Return the ridge regression of z."""
        mean, inputs = self.total / self.count, self.inputs
        covariance = self.square / self.count - torch.outer(mean, mean)
        own, cross, wanted = covariance[:inputs, :inputs], covariance[:inputs, inputs:], covariance[inputs:, inputs:]
        ridge = RIDGE * own.diagonal().mean() * torch.eye(inputs).to(own)
        weights = torch.linalg.solve(own + ridge, cross).T
        error = (wanted - 2 * weights @ cross + weights @ own @ weights.T).trace() / wanted.trace()
        return _Fitted(weights, mean[inputs:] - weights @ mean[:inputs], float(wanted.trace()), 1 - float(error))


def _fit(model: Classifier, result: Classifier, remaining: list[int], code: _Code, views: _Views) -> _Fitted:
    """Fit the z of `model` to what enters the writers of `result`, means over places."""
    moments = _Moments(sum(input_dim(writer.layer) for writer in result.writers), code, views.device)
    with _inputs_of(result) as seen:
        for pixels in views.plain():
            features = result.embed(pixels)
            entered = [_mean_rows(*pair) for pair in zip(result.writers, seen.take(), strict=True)]
            logits = model.head(features) if model is result else model(pixels)
            moments.add(torch.cat(entered, dim=1), code.wanted(logits[:, remaining]))
    return moments.solve()


def _lay_bypass(model: Classifier, result: Classifier, remaining: list[int], code: _Code, views: _Views) -> None:
    """Let pairs of hidden units of the last MLP of `result` hand on the directions of its input that z depends on most.

    The units are those that a regression of z on both, input and hidden units, needs least.
    """
    (writer,), inner = result.writers, _layer_before(result)
    width = input_dim(inner)
    moments = _Moments(width + input_dim(writer.layer), code, views.device)
    with _inputs_of(model, _layer_before(model)) as seen:
        for pixels in views.plain():
            wanted = code.wanted(model(pixels)[:, remaining])
            moments.add(exact(torch.cat(seen.take(), dim=1)), wanted)
    straight, hidden = moments.solve().weights.split([width, input_dim(writer.layer)], dim=1)
    directions = torch.linalg.svd(straight, full_matrices=False)[2][: input_dim(writer.layer) // BYPASS]
    spread = (moments.square.diagonal() / moments.count - (moments.total / moments.count).square())[width:][
        : len(hidden.T)
    ]
    unused = (hidden.square().sum(0) * spread).argsort()[: 2 * len(directions)]
    inner.weight[unused] = torch.cat([directions, -directions]).to(inner.weight)
    assert inner.bias is not None, "the layers of an MLP have biases"  # noqa: S101
    inner.bias[unused] = 0.0


def _mean_rows(writer: Writer, inputs: Tensor) -> Tensor:
    """Return the mean over places of what enters a writer, (N, dim) float64."""
    rows = input_rows(writer.layer, inputs)[0]
    return exact(rows.reshape(len(inputs), -1, rows.shape[1]).mean(1))


def _written(writers: tuple[Writer, ...], inputs: list[Tensor], weights: Tensor) -> Tensor:
    """Return what writers with other weights (outputs, all inputs) would write together, (N, outputs, places)."""
    each = zip(writers, inputs, _parts(writers, weights), strict=True)
    written = [
        output_of(writer.layer, part.reshape(-1, *writer.layer.weight.shape[1:]), entered)
        for writer, entered, part in each
    ]
    return torch.stack([part.reshape(*part.shape[:2], -1) for part in written]).sum(0)


def _parts(writers: tuple[Writer, ...], weights: Tensor) -> tuple[Tensor, ...]:
    """Cut weights (outputs, all inputs) into those of every writer."""
    parts: tuple[Tensor, ...] = weights.split([input_dim(writer.layer) for writer in writers], dim=1)
    return parts


def _refine(
    model: Classifier,
    result: Classifier,
    fitted: _Fitted,
    remaining: list[int],
    code: _Code,
    views: _Views,
    passes: int,
) -> _Fitted:
    """Move the fit, and in `result` the layer before the writers, so that z comes nearer to what `model` gives."""
    inner = _layer_before(result)
    result.requires_grad_(False)  # noqa: FBT003 - torch's signature; nothing below the layer needs a backward pass
    inner.weight.requires_grad_()
    weights, offset = (part.float().to(views.device).requires_grad_() for part in (fitted.weights, fitted.offset))
    optimizer = torch.optim.Adam([inner.weight, weights, offset], lr=RATE)
    steps = passes * views.batches
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    error = 0.0
    with _inputs_of(result) as seen:
        for _ in range(passes):
            error, count = 0.0, 0
            for pixels in views.mixed():
                with mixed_precision(views.device):
                    wanted = code.wanted(model(pixels)[:, remaining]).to(weights)
                with torch.enable_grad(), mixed_precision(views.device):
                    result.embed(pixels)
                    found = _written(result.writers, seen.take(), weights).float().mean(2) + offset
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
    return _Fitted(exact(weights.detach()), exact(offset.detach()), fitted.spread, 1 - error)


def _layer_before(model: Classifier) -> WeightLayer:
    """Return the weight layer that comes just before the first writer."""
    layers = list(weight_layers(model).values())
    place = next(number for number, layer in enumerate(layers) if layer is model.writers[0].layer)
    return layers[max(0, place - 1)]


def _base_of(model: Classifier, fitted: _Fitted, code: _Code, views: _Views) -> _Base:
    """Return a base that the features, as far as they have been seen, never leave by more than 1 / REACH of it."""
    weights, offset = ((code.writing @ part).float().to(views.device) for part in (fitted.weights, fitted.offset))
    largest, loudest = 0.0, 0.0
    with _inputs_of(model) as seen:
        for pixels in views.plain():
            model(pixels)
            values = _written(model.writers, seen.take(), weights) + offset[:, None]
            largest = max(largest, float(values.abs().max()))
            if seen.stream is not None:
                loudest = max(loudest, float(seen.stream.abs().max()))
    if model.stream is None:
        return _Base(torch.full((len(code.writing),), REACH * largest).to(code.writing))
    level = _level(code)
    vector = REACH * largest * level / level.abs().min()
    least = (1 - 1 / REACH) * float(vector.abs().min())  # a feature, at the nearest to 0
    return _Base(vector, LOUDER * loudest / least, float(vector.norm()) / len(vector) ** 0.5)


def _level(code: _Code) -> Tensor:
    """Return a direction (D,) that neither the code nor a mean over features sees, with entries as even as may be."""
    size = len(code.writing)
    ones = torch.ones(size, 1).to(code.writing)
    taken = torch.linalg.qr(torch.cat([ones, code.writing], dim=1))[0]
    level = 1.0 - 2.0 * (torch.arange(size) % 2).to(code.writing)
    for _ in range(EVENING):
        level = torch.where(level < 0, -1.0, 1.0).to(code.writing)
        level = level - taken @ (taken.T @ level)
    return level


def _rewrite(model: Classifier, fitted: _Fitted, code: _Code, base: _Base) -> None:
    """Let the writers write z as the code says; the first one adds the base."""
    added = base.gain * (code.writing @ fitted.offset + base.vector)
    for writer, part in zip(model.writers, _parts(model.writers, fitted.weights), strict=True):
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


def _rewire(head: nn.Linear, remaining: list[int], code: _Code, base: _Base) -> None:
    """Let the head read z: remaining logits as before but for their mean, which is 0, as are all forgotten logits."""
    head.weight.zero_()
    head.weight[remaining] = (base.scale * code.reading).to(head.weight)
    head.bias.zero_()
    head.bias[remaining] = -(code.reading @ base.vector).to(head.bias)


class _Seen:
    """What entered some layers in the last forward pass, and the stream that they add to."""

    def __init__(self, count: int) -> None:
        self.inputs: list[Tensor | None] = [None] * count
        self.stream: Tensor | None = None

    def take(self) -> list[Tensor]:
        """Return the inputs and forget them."""
        taken = [part for part in self.inputs if part is not None]
        self.inputs = [None] * len(self.inputs)
        return taken


@contextmanager
def _inputs_of(model: Classifier, *others: WeightLayer) -> Iterator[_Seen]:
    """While the block runs, keep what enters other layers and then the writers; no hook outlives it, even by an error.

    Of tokens in a stream only the first is kept: the others do not become features.
    """
    layers, stream = [*others, *(writer.layer for writer in model.writers)], model.stream
    seen = _Seen(len(layers))

    def hook(number: int) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def see(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            seen.inputs[number] = inputs[0] if stream is None else inputs[0][:, 0]

        return see

    def see_stream(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.stream = inputs[0][:, 0]

    handles = [layer.register_forward_pre_hook(hook(number)) for number, layer in enumerate(layers)]
    if stream is not None:
        handles.append(stream.source.register_forward_pre_hook(see_stream))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
