"""Arrays of pixels and of labels, in the shapes and ranges that people keep them in -> one kind of source."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from zspag_core.data.images import fit_images
from zspag_core.data.levels import WHITE_OF_BITS, Levels, levels_of_fractions, levels_of_whole
from zspag_core.data.parts import FoundSource, Part
from zspag_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from zspag_core.data.images import Pictures
    from zspag_core.data.resizing import Size

Array = npt.NDArray[Any]

NEARLY_BLACK = 32
"""Whole numbers below this, of 255, are noted: perhaps they are meant as fewer bits."""


@dataclass(frozen=True)
class ArrayPart:
    """Images and labels of one part.

    Attributes:
        images: (N, H, W), (N, H, W, C), (N, C, H, W) with 1, 3 or 4 channels, or (N, H * H); bytes, other whole numbers
            from 0, or floats.
        labels: (N,) or (N, 1), or one-hot (N, K); whole numbers or strings.
        images_are: what a message calls the images, such as "train_x of mine.npz".
        labels_are: what a message calls the labels.
    """

    images: Array
    labels: Array
    images_are: str
    labels_are: str


def found_arrays(
    name: str, parts: Sequence[ArrayPart], class_names: Sequence[str] | None = None, notes: Sequence[str] = ()
) -> FoundSource:
    """Return arrays as a source: the first part to train on, a second one, where there is one, to grade on.

    Raises:
        DataError: a shape, dtype or range that has no single reading as images or labels; not as many labels as images.
    """
    shaped, said = [], list(notes)
    for part in parts:
        images, note = with_channels(part.images_are, part.images)
        shaped.append(images)
        said += note
        if part.labels.ndim == 0:
            _checked_flat(part.labels_are, part.labels)
        if len(images) != len(part.labels):
            raise DataError(
                f"{part.images_are} has {len(images):,} images but {part.labels_are} has {len(part.labels):,} labels."
            )
    labels, names, count = _labels_of(parts)
    levels, more = _levels_of([part.images_are for part in parts], shaped)
    pixels = [_as_bytes(images, level) for images, level in zip(shaped, levels, strict=True)]
    what = ("the training images", "the test images") if len(parts) > 1 else ("the images",)
    train, *test = (Part(f"{one} of {name}", found) for one, found in zip(what, labels, strict=True))

    def make(rows: Sequence[Tensor], size: Size, channels: int) -> tuple[list[Pictures], list[str]]:
        chosen = [
            images if len(some) == len(images) else images[some] for images, some in zip(pixels, rows, strict=False)
        ]
        return [fit_images(images, size, channels) for images in chosen], []

    known = names if names is not None else class_names
    return FoundSource(
        name,
        train,
        test[0] if test else None,
        make,
        known,
        numbered=names is None,
        count=count,
        notes=(*said, *more),
    )


def with_channels(what: str, images: Array) -> tuple[Array, list[str]]:
    """Return images of any dtype as (N, H, W, 1 or 3), and notes on what was assumed.

    Raises:
        DataError: another shape, or no images.
    """
    if images.ndim == 2 and images.size and math.isqrt(images.shape[1]) ** 2 == images.shape[1]:
        side = math.isqrt(images.shape[1])
        return images.reshape(-1, side, side, 1), [f"the rows of {what} are taken for {side} x {side} grey pixels"]
    if images.ndim == 3 and images.size:
        return images[..., None], []
    if images.ndim == 4 and images.size and images.shape[-1] in {1, 3}:
        return images, []
    if images.ndim == 4 and images.size and images.shape[-1] == 4 != images.shape[1]:
        return images[..., :3], [f"{what} has four channels: the fourth is taken for transparency and left out"]
    if images.ndim == 4 and images.size and images.shape[1] in {1, 3, 4}:
        return np.moveaxis(images[:, :3], 1, -1), [f"{what} has its channels first, shape {images.shape}"]
    raise DataError(f"{what} has shape {images.shape}; expected (N, H, W), (N, H, W, 1) or (N, H, W, 3){_why(images)}.")


def _why(images: Array) -> str:
    """Say what is known about a shape that is refused."""
    if images.ndim == 2 and images.size and images.shape[1] % 3 == 0:
        side = math.isqrt(images.shape[1] // 3)
        if 3 * side * side == images.shape[1]:
            return f", for in rows of 3 x {side} x {side} values nothing says whether colours or pixels come first"
    return (
        ": volumes are no images" if images.ndim == 5 or (images.ndim == 4 and len(set(images.shape[1:])) == 1) else ""
    )


def _labels_of(parts: Sequence[ArrayPart]) -> tuple[list[Tensor], list[str] | None, int | None]:
    """Return the labels of every part (N,) int64, their names where they are strings, their number where one-hot."""
    flat = [_flat(part.labels_are, part.labels) for part in parts]
    widths = {part.labels.shape[1] for part in parts if part.labels.ndim == 2 and part.labels.shape[1] > 1}
    if not any(labels.dtype.kind == "U" for labels in flat):
        return [torch.from_numpy(labels) for labels in flat], None, widths.pop() if len(widths) == 1 else None
    if any(labels.dtype.kind != "U" for labels in flat):
        raise DataError(f"{parts[0].labels_are} and {parts[1].labels_are} differ in kind; expected names in both.")
    names = sorted({str(one) for labels in flat for one in np.unique(labels)})
    return [torch.from_numpy(np.searchsorted(names, labels).astype(np.int64)) for labels in flat], names, None


def _flat(what: str, labels: Array) -> Array:
    """Return labels as (N,) int64 or strings."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind == "S":
        return _checked_flat(what, np.char.decode(labels, "utf-8", "replace"))
    if labels.dtype.kind == "U":
        return _checked_flat(what, labels)
    if labels.dtype.kind not in "biuf":
        raise DataError(f"{what} is {labels.dtype}; expected integers or names.")
    if labels.ndim == 2 and labels.size and _is_one_hot(labels):
        return np.asarray(labels.argmax(1), np.int64)
    labels = _checked_flat(what, labels)
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == np.rint(labels)).all()):
        raise DataError(f"{what} is {labels.dtype} with fractions or missing values; expected integers.")
    if labels.size and not -(2**62) < float(labels.min()) <= float(labels.max()) < 2**62:
        raise DataError(f"{what} has values up to {labels.max()}; expected the numbers of classes.")
    return labels.astype(np.int64)


def _checked_flat(what: str, labels: Array) -> Array:
    """Refuse labels with more than one value for an image."""
    if labels.ndim != 1:
        raise DataError(
            f"{what} has shape {labels.shape}; expected one label per image, (N,), (N, 1) or one-hot (N, K): rows with "
            "several classes or none (multi-label) have no single class."
        )
    return labels


def _is_one_hot(labels: Array) -> bool:
    """Say whether every row is a single 1 among zeros."""
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(1) == 1).all())


def _levels_of(called: Sequence[str], parts: Sequence[Array]) -> tuple[list[Levels | None], list[str]]:
    """Return black and white of every part (None where it is bytes already), and notes on what was assumed.

    Whole numbers of other types, and floats of which some are negative, have the same levels in all parts.
    """
    ranges = [_range(what, images) for what, images in zip(called, parts, strict=True)]
    signed = any(low < 0 for low, _ in ranges)
    found, notes = [], []
    for what, images, own in zip(called, parts, ranges, strict=True):
        together = (min(low for low, _ in ranges), max(high for _, high in ranges))
        low, high = together if signed or images.dtype.kind != "f" else own
        level, note = _levels(what, images, low, high)
        found.append(level)
        notes += note
    return found, notes


def _range(what: str, images: Array) -> tuple[float, float]:
    """Return the smallest and the largest value.

    Raises:
        DataError: one is no number, or not finite.
    """
    if images.dtype.kind not in "biuf":
        raise _refusal(what, images, "")
    low, high = images.min(), images.max()
    if not (math.isfinite(low) and math.isfinite(high)):
        raise _refusal(what, images, " with values that are not finite")
    return float(low), float(high)


def _levels(what: str, images: Array, low: float, high: float) -> tuple[Levels | None, list[str]]:
    """Return black and white of images whose values lie between two, and notes on what was assumed."""
    if images.dtype == np.uint8 or (images.dtype.kind != "f" and low >= 0 and 1 < high <= WHITE_OF_BITS[0]):
        dim = [f"the brightest value of {what} is {high:g} of 255: nearly black"] if 0 < high < NEARLY_BLACK else []
        return None if images.dtype == np.uint8 else Levels(0, 255), dim
    if images.dtype.kind != "f":
        if low < 0 or high > WHITE_OF_BITS[-1]:
            raise _refusal(what, images, f" from {low:.0f} to {high:.0f}")
        level = levels_of_whole(low, high)
        return level, [f"{what} is {images.dtype} up to {high:.0f}: {level}"]
    return _levels_of_floats(what, images, low, high)


def _levels_of_floats(what: str, images: Array, low: float, high: float) -> tuple[Levels, list[str]]:
    """Return black and white of floats: 0 to 1, -1 to 1 or 0 to 255, whichever they can only be."""
    level = levels_of_fractions(low, high)
    if low >= 0 and 1 < high <= WHITE_OF_BITS[0] and _are_whole(images):
        dim = [f"the brightest value of {what} is {high:g} of 255: nearly black"] if high < NEARLY_BLACK else []
        return Levels(0, 255), dim
    if level is None:
        fractions = " with fractions" if 0 <= low <= high <= WHITE_OF_BITS[0] else ""
        raise _refusal(what, images, f" from {low!s} to {high!s}{fractions}")
    if level == Levels(0, 255):
        return level, [f"the fractions of {what}, in 0 to 255, are rounded"]
    return level, [f"{what} goes from {low:.3g} to {high:.3g}: {level}"] if level.black else []


def _are_whole(images: Array) -> bool:
    """Say whether floats in 0 to 255 are all whole numbers, without a second copy in floats."""
    return bool(np.array_equal(images.astype(np.uint8), images))


def _as_bytes(images: Array, level: Levels | None) -> Tensor:
    """Return images (N, H, W, C) as (N, C, H, W) uint8."""
    pixels = images if level is None else level.apply(images)
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)


def _refusal(what: str, images: Array, found: str) -> DataError:
    """Return the error for values that are no pixels."""
    hint = ""
    if images.dtype.kind == "f" and not found.endswith("finite"):
        hint = "; values that a mean and deviation were taken from are to be given as they were before"
    return DataError(
        f"{what} is {images.dtype}{found}; expected uint8, whole numbers from 0, or floats that are all in 0 to 1, "
        f"in -1 to 1 or in 0 to 255{hint}."
    )
