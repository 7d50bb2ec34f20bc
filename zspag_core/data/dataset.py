"""What a data set is to the rest of the engine: named classes and two splits of uint8 images."""

from __future__ import annotations

import difflib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zspag_core.data.images import Images, Pictures, in_memory
from zspag_core.devices import laid_out
from zspag_core.errors import UsageError, some_of

if TYPE_CHECKING:
    from collections.abc import Sequence


NAMED = 12
"""How many classes a refusal names."""
MEASURED = 10_000
"""From how many images channel statistics are taken, at most."""
CHUNK = 250


@dataclass(frozen=True)
class Split:
    """Labelled images, kept as bytes, and where they are many at a large size made when they are looked at.

    Attributes:
        images: (N, C, H, W) uint8 in [0, 255].
        labels: (N,) int64.
    """

    images: Pictures
    labels: Tensor

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def __getitem__(self, index: Tensor) -> Split:
        """Return the images and labels that an index or a mask selects."""
        return Split(self.images[index], self.labels[index])

    def to(self, device: torch.device) -> Split:
        """Return the same on a device."""
        if isinstance(self.images, Images):
            parts = [batch.tensor().to(device) for batch in self.images.split(CHUNK)]
            return Split(torch.cat(parts), self.labels.to(device))
        return Split(self.images.to(device), self.labels.to(device))

    def loaded(self) -> LoadedSplit:
        """Return the same with the images in memory; for a few."""
        return LoadedSplit(in_memory(self.images), self.labels)

    def of_classes(self, classes: Sequence[int]) -> Split:
        """Return the part whose label is one of `classes`."""
        return self[torch.isin(self.labels, torch.tensor(list(classes)))]

    def without_classes(self, classes: Sequence[int]) -> Split:
        """Return the part whose label is none of `classes`."""
        return self[~torch.isin(self.labels, torch.tensor(list(classes)))]

    def sample(self, count: int, generator: torch.Generator) -> Split:
        """Return `count` images drawn without replacement (all, shuffled, where there are fewer)."""
        return self[torch.randperm(len(self), generator=generator)[:count]]

    def channel_statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and standard deviation per channel of pixels in [0, 1], from at most 10,000 images."""
        chosen = self.images[:: max(1, len(self) // MEASURED)]
        count, total, squares = 0, torch.zeros(chosen.shape[1]), torch.zeros(chosen.shape[1])
        for batch in chosen.split(CHUNK):
            pixels = in_memory(batch).double() / 255
            count += pixels[:, 0].numel()
            total, squares = total + pixels.sum(dim=(0, 2, 3)), squares + pixels.square().sum(dim=(0, 2, 3))
        mean = total / count
        deviation = ((squares - count * mean.square()) / max(1, count - 1)).clamp_min(0).sqrt().clamp_min(1e-3)
        return tuple(round(v, 4) for v in mean.tolist()), tuple(round(v, 4) for v in deviation.tolist())

    def fingerprint(self) -> int:
        """Return a number that tells one set of labelled images from another."""
        found = 0
        for batch in self.images[::97].split(CHUNK):
            found = zlib.crc32(in_memory(batch).contiguous().numpy().tobytes(), found)
        return zlib.crc32(self.labels.numpy().tobytes(), found)


@dataclass(frozen=True)
class LoadedSplit(Split):
    """A split whose images are a tensor."""

    images: Tensor


@dataclass(frozen=True)
class DataSet:
    """A data set at one image size.

    Attributes:
        name: the name or the file name it was loaded from.
        class_names: one name per label.
        train: what a classifier is trained on.
        test: what it is graded on.
        notes: what was assumed or left aside when it was loaded, in sentences without capital or full stop.
    """

    name: str
    class_names: tuple[str, ...]
    train: Split
    test: Split
    notes: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """Return the number of classes."""
        return len(self.class_names)

    def find_class(self, asked: int | str, what: str) -> int:
        """Return the number of a class that is given by its number or its name.

        A name that is there wins over a number; a text of digits that is the name of one class and the number of
        another must be written `name:1` or `index:1`. Capitals matter only between names that nothing else tells apart.

        Args:
            asked: the number (from 0), the name, or either behind `index:` or `name:`.
            what: what the class is for, the beginning of a refusal.

        Raises:
            UsageError: there is no such class, or several are meant.
        """
        if isinstance(asked, int):
            return self._at(asked, what)
        named = self._named(asked)
        if named and asked.isdecimal() and int(asked) not in named and int(asked) < self.num_classes:
            other = self.class_names[int(asked)]
            raise UsageError(
                f"{what}: {asked} is the name of class {named[0]} and the number of class '{other}'; expected "
                f"name:{asked} or index:{asked}"
            )
        if not named:
            form, _, rest = asked.partition(":")
            if (form == "index" and rest.isdecimal()) or asked.isdecimal():
                return self._at(int(rest or asked), what)
            named = self._named(rest) if form == "name" else []
        if len(named) != 1:
            raise UsageError(f"{what}: {self._unclear(asked, named)}")
        return named[0]

    def _at(self, number: int, what: str) -> int:
        """Return a number of a class.

        Raises:
            UsageError: there is no such class.
        """
        if not 0 <= number < self.num_classes:
            raise UsageError(f"{what}: expected classes 0 to {self.num_classes - 1}, got {number}")
        return number

    def _named(self, name: str) -> list[int]:
        """Return the classes of a name: those that are written so, else those that capitals alone tell apart."""
        exact = [k for k, one in enumerate(self.class_names) if one == name]
        return exact or [k for k, one in enumerate(self.class_names) if one.casefold() == name.casefold()]

    def _unclear(self, asked: str, named: Sequence[int]) -> str:
        """Say that a name means no class, or several."""
        if not named:
            near = difflib.get_close_matches(asked.casefold(), [name.casefold() for name in self.class_names], n=1)
            meant = next((f" ({name!r} is meant?)" for name in self.class_names if [name.casefold()] == near), "")
            return f"{self.name} has no class {asked!r}{meant}; {self._classes()}"
        which = some_of([f"index:{k} ('{self.class_names[k]}')" for k in named], NAMED)
        return f"{asked!r} could be any of {len(named)} classes of {self.name}; expected one of {which}"

    def _classes(self) -> str:
        """Name the classes; where images of some only are there, these first: a person asks for a folder of theirs."""
        there = sorted({*self.train.labels.tolist(), *self.test.labels.tolist()})
        if len(there) in {0, self.num_classes}:
            return f"its classes are {some_of(self.class_names, NAMED)}"
        held = some_of([self.class_names[k] for k in there], NAMED)
        return f"it has images of {held}, out of the classes {some_of(self.class_names, NAMED)}"

    def find_classes(self, asked: Sequence[int | str], what: str) -> tuple[int, ...]:
        """Return the numbers of some of the classes, rising; each is given as :meth:`find_class` takes it.

        Texts that together, with commas between them, are the name of one class mean that class.

        Raises:
            UsageError: none is given, one is unknown or stands twice, or all are given.
        """
        found = tuple(sorted(self.find_class(one, what) for one in self._joined(asked)))
        if not found:
            raise UsageError(f"{what}: expected at least one class, got none")
        if len(set(found)) < len(found):
            raise UsageError(f"{what}: expected every class once, got {', '.join(map(str, asked))}")
        if len(found) == self.num_classes:
            raise UsageError(f"{what}: expected at least one class to remain, got all {self.num_classes}")
        return found

    def _joined(self, asked: Sequence[int | str]) -> Sequence[int | str]:
        """Return what is asked for as one text where all of it is the name of a class that has commas."""
        texts = [one for one in asked if isinstance(one, str)]
        if len(texts) < 2 or len(texts) < len(asked):
            return asked
        whole = [name for name in self.class_names if [part.strip() for part in name.split(",")] == texts]
        return whole[:1] or asked


def to_pixels(images: Pictures, device: torch.device | str = "cpu") -> Tensor:
    """Return uint8 images (N, C, H, W) as float32 in [0, 1] on the device, in the layout that suits it."""
    return laid_out(in_memory(images).to(device).float().div_(255))
