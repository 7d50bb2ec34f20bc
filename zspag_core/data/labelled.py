"""Image files with the name of each one's class, as folders or a table give them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from zspag_core.data.images import decode_images
from zspag_core.data.parts import FoundSource, Part
from zspag_core.data.survey import survey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from zspag_core.data.images import Pictures
    from zspag_core.data.resizing import Size

    Reader = Callable[[], bytes]


@dataclass(frozen=True)
class LabelledFiles:
    """Image files of one part and the class of each.

    Attributes:
        what: what a message calls them.
        files: what a message calls each image, how to read it, and its class.
        empty: classes that have no image here.
    """

    what: str
    files: Sequence[tuple[str, Reader, str]]
    empty: Sequence[str] = ()

    def classes(self) -> set[str]:
        """Return the classes."""
        return {kind for _, _, kind in self.files} | set(self.empty)


def found_files(
    name: str, parts: Sequence[LabelledFiles], notes: Sequence[str], *, numbers: bool = False
) -> FoundSource:
    """Return parts of image files as a source.

    Args:
        name: of the data set.
        parts: to train on and, where there is one, to grade on.
        notes: what was assumed or left aside.
        numbers: whether the classes are whole numbers, given as texts, that mean outputs of a model.
    """
    names = sorted(set().union(*(part.classes() for part in parts)))
    number = {kind: int(kind) if numbers else k for k, kind in enumerate(names)}
    train, *test = (
        Part(part.what, torch.tensor([number[kind] for _, _, kind in part.files], dtype=torch.int64)) for part in parts
    )

    def make(rows: Sequence[Tensor], size: Size, channels: int) -> tuple[list[Pictures], list[str]]:
        chosen = [[part.files[row][:2] for row in some.tolist()] for part, some in zip(parts, rows, strict=False)]
        surveyed, seen = survey(name, chosen)
        return [decode_images(items, size, channels) for items in surveyed], seen

    return FoundSource(name, train, test[0] if test else None, make, None if numbers else names, notes=tuple(notes))
