"""What a model says about images: logits and penultimate features, in exact float32 and evaluation mode."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zspag_core.batching import images_at_once
from zspag_core.data.dataset import to_pixels
from zspag_core.data.images import Pictures, in_memory
from zspag_core.devices import device_of
from zspag_core.models.base import evaluating
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from zspag_core.models.base import Classifier

Network = TypeVar("Network", bound=nn.Module)
LOSS_LIMIT = 1e3  # what the loss of a label counts as at most: a masked logit says nothing beyond "never"


class Outputs(NamedTuple):
    """What one pass over N images gives.

    Attributes:
        features: (N, D) float32, penultimate.
        logits: (N, num_classes) float32.
    """

    features: Tensor
    logits: Tensor


@dataclass(frozen=True)
class LabelledLogits:
    """Logits beside the labels they should have named; checked once, here.

    Attributes:
        logits: (N, num_classes) float; -inf marks a masked class.
        labels: (N,) int64 in [0, num_classes).

    Raises:
        ValueError: shapes do not fit, a label is out of range, or a logit is NaN or +inf.
    """

    logits: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        """Check what every metric relies on."""
        if self.logits.ndim != 2 or self.labels.shape != self.logits.shape[:1]:
            shapes = f"{tuple(self.logits.shape)} and {tuple(self.labels.shape)}"
            raise ValueError(f"logits and labels: expected shapes (N, classes) and (N,), got {shapes}")
        if self.labels.is_floating_point() or self.labels.is_complex() or self.labels.dtype == torch.bool:
            raise ValueError(f"labels: expected whole numbers, got {self.labels.dtype}")
        if len(self.labels) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < self.num_classes:
            span = f"{int(self.labels.min())} to {int(self.labels.max())}"
            raise ValueError(f"labels: expected 0 to {self.num_classes - 1}, got {span}")
        if not bool((self.logits < torch.inf).all()):
            raise ValueError("logits: expected numbers, got NaN or +inf")

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.labels)

    def __getitem__(self, index: Tensor | slice) -> LabelledLogits:
        """Return the samples that an index, a mask or a slice selects."""
        return LabelledLogits(self.logits[index], self.labels[index])

    @property
    def num_classes(self) -> int:
        """Return the number of logits."""
        return self.logits.shape[1]

    @property
    def entropy(self) -> Tensor:
        """Return the entropy of the softmax in nats, (N,) float64."""
        probabilities = self.logits.double().softmax(dim=1)
        return -torch.xlogy(probabilities, probabilities).sum(dim=1)

    @property
    def confidence(self) -> Tensor:
        """Return the probability of the true label, (N,) float64 in [0, 1]."""
        return self.logits.double().softmax(dim=1).gather(1, self.labels[:, None]).squeeze(1)

    @property
    def loss(self) -> Tensor:
        """Return the cross-entropy of the true label, (N,) float64 in [0, LOSS_LIMIT]."""
        return F.cross_entropy(self.logits.double(), self.labels, reduction="none").clamp(max=LOSS_LIMIT)

    def has_label(self, classes: tuple[int, ...]) -> Tensor:
        """Return which samples, (N,) bool, carry one of the labels `classes`."""
        return torch.isin(self.labels, torch.tensor(classes, dtype=self.labels.dtype))


def logits_of(
    model: nn.Module, images: Pictures, *, device: torch.device | None = None, batch_size: int | None = None
) -> Tensor:
    """Return the logits of images, in evaluation mode; the model is left as it was.

    Args:
        model: takes (N, C, H, W) float in [0, 1].
        images: (N, C, H, W) uint8.
        device: where to compute; where the model is when None, on a copy when the model is elsewhere.
        batch_size: images per forward pass; what suits the device when None.

    Returns:
        (N, num_classes) float32 on the CPU.

    Raises:
        ValueError: the images are not (N, C, H, W) uint8, or the batch size is not positive.
    """
    _check_bytes(images)
    network = placed(model, device)
    (logits,) = _in_batches(network, lambda x: (network(x),), images, batch_size, SILENT)
    return logits


def outputs_of(
    model: Classifier,
    images: Pictures,
    *,
    device: torch.device | None = None,
    batch_size: int | None = None,
    compute: Callable[[Tensor], tuple[Tensor, ...]] | None = None,
    report: Reporter = SILENT,
) -> Outputs:
    """Return penultimate features and logits of images from one pass, in evaluation mode; the model is left as it was.

    Args:
        model: the classifier.
        images: (N, C, H, W) uint8.
        device: where to compute; where the model is when None, on a copy when the model is elsewhere.
        batch_size: images per forward pass; what suits the device when None.
        compute: what to call in the place of the model's `both`, with pixels where the model is.
        report: receives progress after every batch, as stage "evaluate".

    Returns:
        Features (N, D) and logits (N, num_classes), float32 on the CPU.

    Raises:
        ValueError: the images are not (N, C, H, W) uint8, or the batch size is not positive.
    """
    _check_bytes(images)
    network = placed(model, device)
    return Outputs(*_in_batches(network, compute or network.both, images, batch_size, report))


def outputs_of_pixels(
    model: Classifier, pixels: Tensor, *, device: torch.device | None = None, batch_size: int | None = None
) -> Outputs:
    """Return penultimate features and logits of images (N, C, H, W) float in [0, 1], which need not be whole levels.

    Everything else is as in :func:`outputs_of`.
    """
    if pixels.ndim != 4 or not pixels.is_floating_point():
        raise ValueError(f"pixels: expected (N, C, H, W) float, got {tuple(pixels.shape)} {pixels.dtype}")
    network = placed(model, device)
    return Outputs(*_in_batches(network, network.both, pixels, batch_size, SILENT))


def placed(model: Network, device: torch.device | None) -> Network:
    """Return the model itself where it is on the device already, else a copy that is."""
    here = device_of(model)
    if device is None or here == device or (here.type == device.type and device.index is None):
        return model
    return copy.deepcopy(model).to(device)


def _check_bytes(images: Pictures) -> None:
    """Refuse images that are not bytes."""
    if images.ndim != 4 or images.dtype != torch.uint8:
        raise ValueError(f"images: expected (N, C, H, W) uint8, got {tuple(images.shape)} {images.dtype}")


def _in_batches(
    network: nn.Module,
    compute: Callable[[Tensor], tuple[Tensor, ...]],
    images: Pictures,
    batch_size: int | None,
    report: Reporter,
) -> tuple[Tensor, ...]:
    """Run `compute` over batches without gradients or autocast and return each of its results, joined on the CPU."""
    device, parts, done = device_of(network), [], 0
    size = images_at_once(network, images) if batch_size is None else batch_size
    if size < 1:
        raise ValueError(f"batch_size: expected 1 or more, got {size}")
    with evaluating(network), torch.inference_mode(), torch.autocast(device.type, enabled=False):
        for batch in images.split(size):
            pixels = to_pixels(batch, device) if batch.dtype == torch.uint8 else in_memory(batch).to(device).float()
            parts.append([result.float().cpu() for result in compute(pixels)])
            done += len(batch)
            report.progress("evaluate", done, len(images))
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))  # outside inference mode: ordinary tensors
