"""Images that are made for a model when they are looked at: kept at their own size, or encoded where they lie.

A set that is small at the model's size is an ordinary tensor. A larger one is an :class:`Images`, which is indexed as a
tensor is and yields pixels a batch at a time, the very same that the tensor would hold.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, overload

import torch
from torch import Tensor

from zspag_core.data.decode import BrokenImages, decode, fit, refuse_broken
from zspag_core.data.resizing import Size, resizing_of
from zspag_core.files import home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Encoded = tuple[str, Callable[[], bytes]]

EAGER_BYTES = 256 * 1024**2
"""Up to so many bytes at the model's size a split is a tensor: all sets of 32 pixels are, of 224 up to 1,783 images."""
BATCH = 128


class Source(Protocol):
    """Where images come from, in an order that stays."""

    def __len__(self) -> int:
        """Return the number of images."""

    def take(self, rows: Tensor) -> Tensor:
        """Return the images at some places, (n, C, S, S) uint8."""


@dataclass(frozen=True)
class Images:
    """Images (N, C, S, S) uint8 that are made when they are looked at.

    Attributes:
        source: makes them.
        rows: (N,) int64, places in the source.
        channels: C.
        image_size: S.
    """

    source: Source
    rows: Tensor
    channels: int
    image_size: int

    ndim = 4
    dtype = torch.uint8

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...

    @overload
    def __getitem__(self, index: Tensor | slice | Sequence[int]) -> Images: ...

    def __getitem__(self, index: int | Tensor | slice | Sequence[int]) -> Images | Tensor:
        """Return one image (C, S, S), or those that an index, a mask or a slice selects."""
        if isinstance(index, int):
            return self.source.take(self.rows[index][None])[0]
        return Images(self.source, self.rows[index], self.channels, self.image_size)

    def __iter__(self) -> Iterator[Tensor]:
        """Yield every image (C, S, S)."""
        for batch in self.split(BATCH):
            yield from batch.tensor()

    @property
    def shape(self) -> torch.Size:
        """Return (N, C, S, S)."""
        return torch.Size((len(self), self.channels, self.image_size, self.image_size))

    @property
    def nbytes(self) -> int:
        """Return the bytes that all of them would take."""
        return self.shape.numel()

    def split(self, size: int) -> tuple[Images, ...]:
        """Return parts of `size` images; none is made yet."""
        return tuple(Images(self.source, rows, self.channels, self.image_size) for rows in self.rows.split(size))

    def tensor(self) -> Tensor:
        """Return them all, (N, C, S, S) uint8."""
        return self.source.take(self.rows) if len(self) else torch.zeros(self.shape, dtype=torch.uint8)


Pictures = Tensor | Images
"""Images (N, C, S, S) uint8, in memory or not."""


def in_memory(images: Pictures) -> Tensor:
    """Return images as a tensor."""
    return images.tensor() if isinstance(images, Images) else images


def concat(*parts: Pictures) -> Pictures:
    """Return images one part after the other; in memory where all of them are."""
    if not any(isinstance(part, Images) for part in parts):
        return torch.cat([part for part in parts if isinstance(part, Tensor)])
    _, channels, side, _ = parts[0].shape
    joined = _Joined(parts)
    return Images(joined, torch.arange(len(joined)), channels, side)


def changed(images: Pictures, change: Callable[[Tensor], Tensor]) -> Pictures:
    """Return images that `change`, which makes (n, C, S, S) uint8 of the same, is applied to."""
    if isinstance(images, Tensor):
        return change(images)
    return Images(_Changed(images, change), torch.arange(len(images)), images.channels, images.image_size)


def fit_images(pixels: Tensor, size: Size, channels: int) -> Pictures:
    """Return raw images at the model's size: a tensor where that is small, else kept as they are.

    Args:
        pixels: (N, 1 or 3, H, W) uint8.
        size: side of the result in pixels, or how it comes about.
        channels: 1 or 3.
    """
    if is_small(len(pixels), size, channels):
        return fit(pixels, size, channels)
    return _lazy(_Raw(pixels, size, channels))


def decode_images(encoded: Iterable[Encoded], size: Size, channels: int) -> Pictures:
    """Return encoded images at the model's size: decoded where that is small, else where they lie.

    Args:
        encoded: for each image, what a message calls it and how to read its bytes, which must stay possible.
        size: side of the result in pixels, or how it comes about.
        channels: 1 or 3.

    Raises:
        DataError: an image cannot be read; of a large set only once it is looked at.
    """
    items = list(encoded)
    if is_small(len(items), size, channels):
        return decode(items, size, channels)
    return _lazy(_Encoded(items, size, channels))


class Decoding:
    """Encoded images that come once, in parts: decoded at once where they are few, else laid down in a file."""

    def __init__(self, count: int, size: Size, channels: int) -> None:
        """Expect `count` images."""
        self.size, self.channels = size, channels
        self.small = is_small(count, size, channels)
        self.parts: list[Tensor] = []
        self.items: list[Encoded] = []
        self.spool = None if self.small else _Spool()

    def add(self, encoded: Iterable[Encoded]) -> None:
        """Take further images.

        Raises:
            DataError: one cannot be read; see :func:`decode_images`.
        """
        if self.spool is None:
            self.parts.append(decode(encoded, self.size, self.channels))
            return
        self.items += [(where, self.spool.put(read())) for where, read in encoded]

    def images(self) -> Pictures:
        """Return all that came."""
        if self.spool is None:
            return torch.cat(self.parts)
        return _lazy(_Encoded(self.items, self.size, self.channels))


def is_small(count: int, size: Size, channels: int) -> bool:
    """Tell whether so many images are kept as a tensor."""
    return count * channels * resizing_of(size).image_size ** 2 <= EAGER_BYTES


def look_through(images: Pictures) -> None:
    """Make every image once, so that those that cannot be read are found before any work.

    Raises:
        BrokenImages: some cannot be read; the message names them.
    """
    broken = []
    for batch in images.split(BATCH) if isinstance(images, Images) else ():
        try:
            batch.tensor()
        except BrokenImages as error:
            broken.append(error)
    refuse_broken(broken)


def _lazy(source: _Raw | _Encoded) -> Images:
    return Images(source, torch.arange(len(source)), source.channels, resizing_of(source.size).image_size)


@dataclass(frozen=True)
class _Raw:
    """Images in memory, (M, 1 or 3, H, W) uint8, at their own size."""

    pixels: Tensor
    size: Size
    channels: int

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, rows: Tensor) -> Tensor:
        return fit(self.pixels[rows], self.size, self.channels)


@dataclass(frozen=True)
class _Encoded:
    """Image files, read and decoded each time."""

    items: Sequence[Encoded]
    size: Size
    channels: int

    def __len__(self) -> int:
        return len(self.items)

    def take(self, rows: Tensor) -> Tensor:
        return decode([self.items[row] for row in rows.tolist()], self.size, self.channels)


@dataclass(frozen=True)
class _Changed:
    """Images that something is done to."""

    images: Images
    change: Callable[[Tensor], Tensor]

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: Tensor) -> Tensor:
        return self.change(self.images[rows].tensor())


class _Joined:
    """Several groups of images, one after the other."""

    def __init__(self, parts: Sequence[Pictures]) -> None:
        self.parts = parts
        self.starts = torch.tensor([0, *map(len, parts)]).cumsum(0)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def take(self, rows: Tensor) -> Tensor:
        found = torch.empty((len(rows), *self.parts[0].shape[1:]), dtype=torch.uint8)
        for part, start in zip(self.parts, self.starts.tolist(), strict=False):
            mine = (rows >= start) & (rows < start + len(part))
            if bool(mine.any()):
                found[mine] = in_memory(part[rows[mine] - start])
        return found


class _Spool:
    """A file without a name that bytes are laid down in and read back from; it goes when nothing reads it any more."""

    def __init__(self) -> None:
        folder = home() / "cache"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=folder)
        except OSError:
            descriptor, name = tempfile.mkstemp()
        Path(name).unlink()
        self.descriptor, self.end = descriptor, 0
        weakref.finalize(self, os.close, descriptor)

    def put(self, content: bytes) -> Callable[[], bytes]:
        """Lay bytes down; return how to read them back."""
        start, left = self.end, memoryview(content)
        while left:
            left = left[os.pwrite(self.descriptor, left, self.end) :]
            self.end = start + len(content) - len(left)
        return partial(self.read, start, len(content))

    def read(self, start: int, length: int) -> bytes:
        """Return bytes that were laid down."""
        return os.pread(self.descriptor, length, start)
