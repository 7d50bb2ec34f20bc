"""Features at the output of every stage of a classifier, averaged over space, in float64."""

from __future__ import annotations

import copy
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch

from zspag_core.batching import images_at_once
from zspag_core.data.dataset import to_pixels
from zspag_core.devices import device_of, exact_device
from zspag_core.errors import UnlearningError
from zspag_core.models.base import evaluating
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn

    from zspag_core.data.images import Pictures
    from zspag_core.models.base import Classifier

LAST = "features"
"""What enters the head, where that is not the last stage's own mean over space."""

EXACT_BATCH = 32
"""Images at once in float64: on a CPU twice as fast as 128."""


@dataclass(frozen=True)
class StageFeatures:
    """What every stage says of N images.

    Attributes:
        names: of the stages, from the input to the head.
        features: one (N, channels) float64 a stage, on the CPU.
    """

    names: tuple[str, ...]
    features: tuple[Tensor, ...]

    def __len__(self) -> int:
        """Return the number of stages."""
        return len(self.names)

    def of(self, index: Tensor | slice) -> StageFeatures:
        """Return the same of the images that an index, a mask or a slice selects."""
        return StageFeatures(self.names, tuple(part[index] for part in self.features))


def stages_of(
    model: Classifier,
    images: Pictures,
    *,
    dtype: torch.dtype = torch.float64,
    batch_size: int | None = None,
    report: Reporter = SILENT,
) -> StageFeatures:
    """Return features at every stage's output, from one pass in evaluation mode; the model is left as it was.

    The stages are the places where GradCAM draws (`cam_layers`), their maps averaged over space, and the penultimate
    features where those are something else. A copy of the model computes in float64 from the same pixels, so that
    nothing can hide below float32's rounding; in float32, which takes a fifth of the time, the means are float64 still.

    Args:
        model: the classifier, ours or one of another library.
        images: (N, C, H, W) uint8.
        dtype: in which the network computes, torch.float64 or torch.float32.
        batch_size: images per forward pass; what suits the device when None.
        report: receives progress after every batch, as stage "depth".

    Returns:
        One (N, channels) float64 a stage.

    Raises:
        UnlearningError: a feature is not a number, or the network cannot compute in float64.
    """
    exact = exact_copy(model) if dtype == torch.float64 else model
    most = EXACT_BATCH if dtype == torch.float64 else None
    size = batch_size or images_at_once(model, images, most)
    done = 0
    with evaluating(exact), torch.inference_mode(), StageRecorder(exact, torch.ones(len(images)).bool()) as recorder:
        for batch in images.split(size):
            recorder.both(to_pixels(batch, device_of(exact)).to(dtype))
            done += len(batch)
            report.progress("depth", done, len(images))
    return recorder.recorded(rounding=1e3 * torch.finfo(dtype).eps)


class StageRecorder:
    """Keeps what every stage says of chosen images while a network looks at those and others, batch after batch.

    So a pass that is made anyway, as for a grade, serves the measures of depth as well. A context: hooks are there
    while it is open.
    """

    def __init__(self, model: Classifier, wanted: Tensor) -> None:
        """Watch a network.

        Args:
            model: the classifier, in evaluation mode while it looks.
            wanted: (N,) bool, which of the images that it will look at, in that order.
        """
        self.model, self.wanted, self.looked = model, wanted, 0
        self.parts: dict[str, list[Tensor]] = {name: [] for name in (*model.cam_layers, LAST)}
        self.hooks = ExitStack()

    def __enter__(self) -> Self:
        """Set hooks."""
        for name, module in self.model.cam_layers.items():
            self.hooks.enter_context(module.register_forward_hook(self._keeping(name)))
        self._seen: dict[str, Tensor] = {}
        return self

    def __exit__(self, *_: object) -> None:
        """Take them away."""
        self.hooks.close()

    def both(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and logits of the next images (N, C, H, W) in [0, 1], as the classifier's `both` does."""
        self._marks = self.wanted[self.looked : self.looked + len(pixels)]
        self.looked += len(pixels)
        features, logits = self.model.both(pixels)
        if self._marks.any():
            self._seen[LAST] = features[self._marks.to(features.device)]
            for name, found in self._seen.items():
                self.parts[name].append(found.cpu().double())
        self._seen.clear()
        return features, logits

    def recorded(self, rounding: float) -> StageFeatures:
        """Return one (wanted, channels) float64 a stage, on the CPU.

        Args:
            rounding: of the network's precision; the features of the head are left out where they are the last
                stage's mean but for that.

        Raises:
            UnlearningError: a feature is not a number.
        """
        return _joined(self.parts, rounding)

    def _keeping(self, name: str) -> Callable[[nn.Module, object, Tensor], None]:
        """Return a hook that keeps the mean over space of a stage's output."""

        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            if not self._marks.any():
                return
            reshape = self.model.cam_reshape
            maps = output if reshape is None else reshape(output)
            self._seen[name] = exact_mean(maps[self._marks.to(maps.device)])

        return hook


def exact_copy(model: Classifier) -> Classifier:
    """Return a copy of a classifier that computes in float64, where that can be had.

    Raises:
        UnlearningError: the network cannot: it has numbers of another kind written into it.
    """
    exact = copy.deepcopy(model).to(exact_device(device_of(model))).double()
    config = model.config
    black = torch.zeros(1, config.channels, config.image_size, config.image_size, device=device_of(exact))
    try:
        with evaluating(exact), torch.inference_mode():
            exact(black.double())
    except RuntimeError as error:
        first = str(error).partition("\n")[0]
        message = f"depth: expected a network that can compute in float64, got one that cannot: {first}"
        raise UnlearningError(message) from None
    return exact


def exact_mean(maps: Tensor) -> Tensor:
    """Return the mean over places of maps (N, C, h, w), (N, C) float64 where the device has that."""
    if maps.device.type == "mps":
        maps = maps.cpu()
    return maps.mean(dim=(2, 3), dtype=torch.float64)


def _joined(parts: dict[str, list[Tensor]], rounding: float) -> StageFeatures:
    """Join batches; leave the penultimate features out where they are the last stage's own."""
    joined = {name: torch.cat(found).clone() for name, found in parts.items() if found}
    bad = [name for name, found in joined.items() if not bool(found.isfinite().all())]
    if bad:
        raise UnlearningError(f"depth: expected numbers as features, got NaN or infinity at {', '.join(bad)}")
    names = list(joined)
    if len(names) > 1 and _same(joined[names[-2]], joined[LAST], rounding):
        names.remove(LAST)
    return StageFeatures(tuple(names), tuple(joined[name] for name in names))


def _same(stage: Tensor, features: Tensor, rounding: float) -> bool:
    """Tell whether two sets of features are equal but for rounding."""
    if stage.shape != features.shape:
        return False
    return bool((stage - features).abs().max() <= rounding * features.abs().max())


def standardised(train: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """Return features with mean 0 and deviation 1 in every column, by the first set's figures.

    What is measured on them does not change when a stage's weights are rescaled, channel by channel. A column that is
    constant up to rounding becomes 0.

    Args:
        train: (N, D) float64, by which the others are standardised too.
        others: (M, D) float64 each.
    """
    mean = train.mean(dim=0)
    deviation = train.std(dim=0, correction=0)
    flat = deviation <= FLAT * mean.abs() + torch.finfo(train.dtype).tiny
    scale = torch.where(flat, torch.zeros_like(deviation), 1 / torch.where(flat, torch.ones_like(deviation), deviation))
    return tuple((part - mean) * scale for part in (train, *others))


FLAT = 1e-13
"""A column whose deviation is this small against its mean is constant up to rounding."""


def check_pair(features: Sequence[Tensor], labels: Sequence[Tensor]) -> None:
    """Check features (N, D) and labels (N,) of several groups.

    Raises:
        ValueError: shapes do not fit or a feature is not finite.
    """
    for part, names in zip(features, labels, strict=True):
        if part.ndim != 2 or names.shape != part.shape[:1]:
            shapes = f"{tuple(part.shape)} and {tuple(names.shape)}"
            raise ValueError(f"features and labels: expected shapes (N, D) and (N,), got {shapes}")
        if not bool(part.isfinite().all()):
            raise ValueError("features: expected finite numbers, got NaN or infinity")
