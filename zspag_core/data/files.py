"""Readers of image files: the whole content when called, or the first bytes alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zspag_core.data.archive import read_later

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class OnDisk:
    """A file in a folder."""

    path: Path

    def __call__(self) -> bytes:
        """Return its content."""
        return self.path.read_bytes()

    def head(self, count: int) -> bytes:
        """Return its first bytes."""
        with self.path.open("rb") as file:
            return file.read(count)


@dataclass(frozen=True)
class InArchive:
    """A member of a zip that was checked and closed."""

    path: Path
    name: str

    def __call__(self) -> bytes:
        """Return its content."""
        return read_later(self.path, self.name)

    def head(self, count: int) -> bytes:
        """Return its first bytes."""
        return read_later(self.path, self.name, count)
