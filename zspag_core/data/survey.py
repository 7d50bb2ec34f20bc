"""A look at image files before they are decoded: which are turned by the camera, which have more than 8 bits.

Only the beginning of most files is read.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from zspag_core.data.decode import MAX_PIXELS, UNREADABLE
from zspag_core.data.levels import Levels, levels_of_fractions, levels_of_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    Reader = Callable[[], bytes]
    Encoded = tuple[str, Reader]

HEAD = 4096
ORIENTATION = 0x0112
WIDE_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
"""Pillow's names of grey images with more than 8 bits."""


@dataclass
class Survey:
    """What was seen of a set's files so far.

    Attributes:
        turned: how many the camera says are to be turned.
        wide: how many have more than 8 bits.
        low: their smallest value.
        high: their largest.
        whole: whether all their values are whole numbers.
    """

    turned: int = 0
    wide: int = 0
    low: float = float("inf")
    high: float = float("-inf")
    whole: bool = True

    def look(self, items: Iterable[Encoded]) -> list[bool]:
        """Look at further files; return which of them have more than 8 bits. What cannot be read is passed over."""
        return [self._look(read) for _, read in items]

    def in_eight_bits(self, items: Sequence[Encoded], wide: Sequence[bool]) -> list[Encoded]:
        """Return the files with readers that give 8 bits in place of more; all must have been looked at."""
        levels = self.levels()
        return [
            (where, partial(eight_bits, read, levels) if is_wide else read)
            for (where, read), is_wide in zip(items, wide, strict=True)
        ]

    def levels(self) -> Levels:
        """Return black and white of the images with more than 8 bits."""
        if self.whole:
            return levels_of_whole(self.low, self.high)
        return levels_of_fractions(self.low, self.high) or Levels(self.low, self.high)

    def notes(self, name: str) -> list[str]:
        """Say what was seen."""
        notes = []
        if self.turned:
            notes.append(
                f"{self.turned:,} photos of {name} carry a camera's orientation (EXIF): as in torchvision's "
                "ImageFolder they are not turned"
            )
        if self.wide:
            notes.append(
                f"{self.wide:,} images of {name} have more than 8 bits a pixel, values {self.low:g} to {self.high:g} "
                f"in all: they are scaled so that {self.levels()}"
            )
        return notes

    def _look(self, read: Reader) -> bool:
        from PIL import Image

        try:
            head = head_of(read)
            if _may_be_turned(head) and _orientation(read()) > 1:
                self.turned += 1
            if not _may_be_wide(head):
                return False
            values = _values(read())
        except (*UNREADABLE, Image.DecompressionBombError, Image.DecompressionBombWarning):
            # decoding names the file
            return False
        if values is None or not values.size:
            return False
        self._widen(values)
        return True

    def _widen(self, values: npt.NDArray[Any]) -> None:
        finite = values[np.isfinite(values)]
        if finite.size:
            self.low, self.high = min(self.low, float(finite.min())), max(self.high, float(finite.max()))
            self.whole = self.whole and bool((finite == np.rint(finite)).all())
        self.wide += 1


def survey(name: str, groups: Sequence[Sequence[Encoded]]) -> tuple[list[list[Encoded]], list[str]]:
    """Return groups of files with readers that give 8 bits, scaled alike in all groups, and notes on what was seen.

    Args:
        name: what a note calls them all together.
        groups: for each image, what a message calls it and how to read its bytes.
    """
    seen = Survey()
    wide = [seen.look(items) for items in groups]
    return [seen.in_eight_bits(*pair) for pair in zip(groups, wide, strict=True)], seen.notes(name)


def head_of(read: Reader, count: int = HEAD) -> bytes:
    """Return the first bytes of a file, without the rest where its reader knows how."""
    head = getattr(read, "head", None)
    return bytes(head(count)) if head is not None else read()[:count]


def eight_bits(read: Reader, levels: Levels) -> bytes:
    """Return a grey image with more than 8 bits as a file with 8."""
    from PIL import Image

    content = read()
    values = _values(content)
    if values is None:
        return content
    scaled = levels.apply(np.nan_to_num(values, nan=levels.black, posinf=levels.white, neginf=levels.black))
    buffer = io.BytesIO()
    Image.fromarray(scaled).save(buffer, "PPM")
    return buffer.getvalue()


def _may_be_turned(head: bytes) -> bool:
    """Say whether the beginning of a file promises EXIF data."""
    if head.startswith(b"RIFF"):
        return head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 8)
    return b"Exif\0\0" in head or b"eXIf" in head or head[:2] in {b"II", b"MM"}


def _may_be_wide(head: bytes) -> bool:
    """Say whether a file of this beginning may hold grey values of more than 8 bits."""
    if head.startswith(b"\x89PNG"):
        return head[24:26] == b"\x10\x00"  # 16 bits, grey
    return not head.startswith((b"\xff\xd8", b"GIF8", b"RIFF", b"BM"))


def _orientation(content: bytes) -> int:
    """Return the orientation that a camera noted, 1 where it did not."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        found = image.getexif().get(ORIENTATION, 1)
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _values(content: bytes) -> npt.NDArray[Any] | None:
    """Return the values of a grey image with more than 8 bits, else None."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        if image.mode not in WIDE_MODES or image.width * image.height > MAX_PIXELS:
            return None
        return np.asarray(image)
