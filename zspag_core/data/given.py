"""Images and labels that Python code has in its hands -> bytes and numbers, as a split holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from zspag_core.data.dataset import Split
from zspag_core.data.decode import convert
from zspag_core.data.images import concat, fit_images

if TYPE_CHECKING:
    from zspag_core.data.images import Pictures
    from zspag_core.data.resizing import Size

EXPECTED = (
    "a tensor or an array (N, C, H, W) or (N, H, W, C), a list of Pillow images, or a Dataset or DataLoader of images "
    "and labels"
)
IMAGE_KEYS, LABEL_KEYS = ("image", "img", "pixel_values", "images"), ("label", "labels", "fine_label", "target")
ROUNDING = 1e-3
"""How far a pixel may lie outside [0, 1] after a normalisation has been undone."""


@dataclass(frozen=True)
class Pixels:
    """How an owner's images become what the network takes.

    Attributes:
        size: side of the square in pixels, or how it comes about; None takes images as large as they are.
        channels: 1 or 3.
        undo: (mean, std) of a normalisation that was done already and is to be undone; None for none.
        note: told what was assumed.
    """

    size: Size | None
    channels: int
    undo: tuple[Sequence[float], Sequence[float]] | None = None
    note: Callable[[str], None] = lambda _sentence: None


def taken_apart(what: str, source: object, labels: object) -> tuple[object, object]:
    """Return images and labels; where no labels are given, those that a Dataset or DataLoader yields beside its images.

    Raises:
        ValueError: there are no labels.
    """
    if labels is not None:
        return source, labels
    if isinstance(source, Tensor | np.ndarray | str) or not (
        hasattr(source, "__getitem__") or hasattr(source, "__iter__")
    ):
        raise ValueError(f"labels: expected one number or name for every image of {what}, got None")
    images: list[Any] = []
    found: list[Any] = []
    batched = isinstance(source, torch.utils.data.DataLoader)
    for sample in _samples(source):
        image, label = _image_and_label(what, sample)
        images += list(image) if batched else [image]
        found += list(label) if batched else [label]
    return images, found


def joined(one: Split, other: Split) -> Split:
    """Return the images of both, those of the first one first."""
    return Split(concat(one.images, other.images), torch.cat([one.labels, other.labels])) if len(other) else one


def _samples(source: Any) -> Iterator[Any]:  # noqa: ANN401 - a Dataset, a DataLoader or a list
    """Return what a Dataset or DataLoader yields; a Dataset may know no other way than by number."""
    if isinstance(source, torch.utils.data.DataLoader) or not hasattr(source, "__len__"):
        yield from source
    else:
        yield from (source[k] for k in range(len(source)))


def _image_and_label(what: str, pair: object) -> tuple[Any, Any]:
    """Return the two parts of a sample, or of a batch of samples."""
    if isinstance(pair, Mapping):
        image = next((pair[key] for key in IMAGE_KEYS if key in pair), None)
        label = next((pair[key] for key in LABEL_KEYS if key in pair), None)
        if image is not None and label is not None:
            return image, label
    elif isinstance(pair, Sequence) and len(pair) >= 2:
        return pair[0], pair[1]
    raise ValueError(f"labels: expected {what} to hold images with labels, got {type(pair).__name__} without")


def pixels_of(what: str, images: Any, how: Pixels) -> Pictures:  # noqa: ANN401 - every form that is handed over
    """Return images as bytes, at the size and with the channels that a network takes.

    Args:
        what: what a message calls the images.
        images: one of the forms of `EXPECTED`, without labels; floats in [0, 1], or bytes.
        how: they are prepared.

    Returns:
        (N, C, S, S) uint8.

    Raises:
        ValueError: another form, several sizes where none is asked for, pixels that are no pixels.
    """
    if isinstance(images, Tensor | np.ndarray):
        return _fitted(what, _whole(what, images, how), how)
    if not isinstance(images, Sequence) or isinstance(images, str):
        raise ValueError(f"{what}: expected {EXPECTED}, got {type(images).__name__}")
    if not images:
        raise ValueError(f"{what}: expected at least one image, got none")
    if all(callable(getattr(image, "convert", None)) for image in images):
        return _decoded(what, images, how)
    if not all(isinstance(image, Tensor | np.ndarray) for image in images):
        kind = next(type(image).__name__ for image in images if not isinstance(image, Tensor | np.ndarray))
        raise ValueError(f"{what}: expected {EXPECTED}, got a list with {kind}")
    tensors = [torch.as_tensor(image) for image in images]
    if len({tensor.shape for tensor in tensors}) == 1:
        return pixels_of(what, torch.stack(tensors), how)
    parts = [_fitted(what, _whole(what, tensor[None], how), how) for tensor in tensors]
    if len({part.shape for part in parts}) > 1:
        raise ValueError(f"{what}: expected images of one size, or preprocess with a size, got several sizes")
    return concat(*parts)


def _decoded(what: str, pictures: Sequence[Any], how: Pixels) -> Tensor:
    """Return Pillow images as pixels."""
    if how.size is None and len({picture.size for picture in pictures}) > 1:
        raise ValueError(f"{what}: expected images of one size, or preprocess with a size, got several sizes")
    if how.size is None and pictures[0].width != pictures[0].height:
        raise ValueError(f"{what}: expected square images, or preprocess with a size, got {_by(pictures[0].size)}")
    size = how.size or pictures[0].width
    arrays = [np.asarray(convert(picture, size, how.channels)) for picture in pictures]
    pixels = torch.from_numpy(np.stack(arrays))
    return pixels[:, None] if how.channels == 1 else pixels.permute(0, 3, 1, 2).contiguous()


def _fitted(what: str, pixels: Tensor, how: Pixels) -> Pictures:
    """Return (N, 1 or 3, H, W) uint8 at the size that the network takes."""
    height, width = pixels.shape[-2:]
    if how.size is None and height != width:
        raise ValueError(f"{what}: expected square images, or preprocess with a size, got {_by((width, height))}")
    return fit_images(pixels, how.size or height, how.channels)


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]} pixels"


def _whole(what: str, images: Any, how: Pixels) -> Tensor:  # noqa: ANN401 - a tensor or an array
    """Return a tensor or an array as (N, 1 or 3, H, W) uint8."""
    tensor = _channels_first(what, torch.as_tensor(images).detach().cpu())
    if tensor.dtype == torch.uint8:
        return tensor
    if not tensor.is_floating_point():
        return _checked_bytes(what, tensor)
    tensor = tensor.float()
    if not bool(tensor.isfinite().all()):
        raise ValueError(f"{what}: expected pixels in [0, 1], got values that are not finite")
    if how.undo is not None:
        mean, std = (torch.tensor(list(part)).view(1, -1, 1, 1) for part in how.undo)
        tensor = _inside(tensor * std + mean)
    return _rounded(what, tensor, how)


def _inside(tensor: Tensor) -> Tensor:
    """Clamp what rounding has put just outside of [0, 1]."""
    near = (tensor > -ROUNDING) & (tensor < 1 + ROUNDING)
    return torch.where(near, tensor.clamp(0, 1), tensor)


def _rounded(what: str, tensor: Tensor, how: Pixels) -> Tensor:
    """Return floats in [0, 1] as bytes, and say so where that loses anything.

    Raises:
        ValueError: they lie outside.
    """
    low, high = float(tensor.min()), float(tensor.max())
    if low >= 0 and 1 < high <= 255 and torch.equal(tensor, tensor.round()):
        how.note(f"{what}: whole floats from {low:g} to {high:g} were taken as bytes, not as pixels in [0, 1]")
        return tensor.to(torch.uint8)
    if low < 0 or high > 1:
        raise ValueError(_normalised(what, low, high, undone=how.undo is not None))
    pixels = (tensor * 255).round()
    if float((pixels - tensor * 255).abs().max()) > 0.01:
        how.note(f"{what}: floats were rounded to the 256 levels of a byte")
    return pixels.to(torch.uint8)


def _normalised(what: str, low: float, high: float, *, undone: bool) -> str:
    """Say why floats are no pixels, and what to do."""
    got = f"got floats from {low:.3g} to {high:.3g}"
    if undone:
        return f"{what}: expected pixels in [0, 1] once preprocess's mean and std were undone, {got} then"
    return (
        f"{what}: expected bytes, or floats in [0, 1], {got}; where they are normalised already, hand over the pixels "
        "as they were and preprocess with mean and std, or say normalised=True to have mean and std undone"
    )


def _checked_bytes(what: str, tensor: Tensor) -> Tensor:
    """Return integers that are bytes as bytes."""
    if tensor.dtype == torch.bool or int(tensor.min()) < 0 or int(tensor.max()) > 255:
        raise ValueError(f"{what}: expected uint8, or floats in [0, 1], got {tensor.dtype}".replace("torch.", ""))
    return tensor.to(torch.uint8)


def _channels_first(what: str, tensor: Tensor) -> Tensor:
    """Return (N, 1 or 3, H, W) of images with the channels first, last, or none at all."""
    shape = tuple(tensor.shape)
    if tensor.ndim == 3:
        tensor = tensor[:, None]
    elif tensor.ndim == 4 and shape[1] not in {1, 3} and shape[3] in {1, 3}:
        tensor = tensor.permute(0, 3, 1, 2)
    if tensor.ndim != 4 or tensor.shape[1] not in {1, 3}:
        raise ValueError(f"{what}: expected shape (N, C, H, W) or (N, H, W, C) with 1 or 3 channels, got {shape}")
    if not tensor.numel():
        raise ValueError(f"{what}: expected at least one image, got shape {shape}")
    return tensor.contiguous()


def labels_of(what: str, labels: Any, count: int, find_class: Callable[[int | str], int]) -> Tensor:  # noqa: ANN401
    """Return labels (count,) int64.

    Args:
        what: what a message calls the images.
        labels: one number or name for every image, or one for all.
        count: number of images.
        find_class: turns a number or a name into the number of a class.

    Raises:
        ValueError: another form, or not as many labels as images.
    """
    where = "labels" if what == "images" else f"labels of {what}"
    if isinstance(labels, int | str):
        labels = [labels] * count
    if hasattr(labels, "tolist"):
        labels = labels.tolist()
    if not isinstance(labels, Sequence):
        raise ValueError(f"{where}: expected one number or name for every image, got {type(labels).__name__}")
    listed = [label.item() if hasattr(label, "item") else label for label in labels]
    odd = next((label for label in listed if isinstance(label, bool) or not isinstance(label, int | str)), None)
    if odd is not None:
        raise ValueError(f"{where}: expected one number or name for every image, got {odd!r}")
    if len(listed) != count:
        raise ValueError(f"{where}: expected one for each of the {count:,} images, got {len(listed):,}")
    numbers = {label: find_class(label) for label in dict.fromkeys(listed)}
    return torch.tensor([numbers[label] for label in listed])
