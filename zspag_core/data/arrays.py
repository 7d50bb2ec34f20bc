"""Arrays of pixels and of labels -> a checked :class:`Split`, for `.npz`, `.mat` and torchvision's sets alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from zspag_core.data.dataset import Split
from zspag_core.data.images import fit_images
from zspag_core.errors import DataError

Array = npt.NDArray[Any]


def split_of_arrays(
    images: Array, labels: Array, *, images_are: str, labels_are: str, image_size: int, channels: int
) -> Split:
    """Return a split of raw images, resized.

    Args:
        images: (N, H, W), (N, H, W, 1) or (N, H, W, 3) uint8.
        labels: (N,) or (N, 1), any integers.
        images_are: what a message calls the images, such as "train_x of mine.npz".
        labels_are: what a message calls the labels.
        image_size: side of the result in pixels.
        channels: 1 or 3.

    Raises:
        DataError: a wrong dtype or shape, or not as many labels as images.
    """
    images, labels = _checked_images(images_are, images), _checked_labels(labels_are, labels)
    if len(images) != len(labels):
        raise DataError(f"{images_are} has {len(images):,} images but {labels_are} has {len(labels):,} labels.")
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    return Split(fit_images(pixels, image_size, channels), torch.from_numpy(labels))


def _checked_images(what: str, images: Array) -> Array:
    """Return the images as (N, H, W, 1 or 3)."""
    if images.dtype != np.uint8:
        raise DataError(f"{what} is {images.dtype}; expected uint8 in 0 to 255.")
    return with_channels(what, images)


def with_channels(what: str, images: Array) -> Array:
    """Return images of any dtype as (N, H, W, 1 or 3).

    Raises:
        DataError: another shape, or no images.
    """
    shaped = images[..., None] if images.ndim == 3 else images
    if shaped.ndim != 4 or shaped.shape[-1] not in {1, 3} or not shaped.size:
        raise DataError(f"{what} has shape {images.shape}; expected (N, H, W), (N, H, W, 1) or (N, H, W, 3).")
    return shaped


def _checked_labels(what: str, labels: Array) -> Array:
    """Return the labels as (N,) int64."""
    if labels.dtype.kind not in "iu":
        raise DataError(f"{what} is {labels.dtype}; expected integers.")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DataError(f"{what} has shape {labels.shape}; expected one label per image, (N,) or (N, 1).")
    return labels.astype(np.int64)
