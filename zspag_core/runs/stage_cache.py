"""What an attempt at a run has finished, kept on disk so that the next attempt goes on from there."""

from __future__ import annotations

import contextlib
import pickle
import shutil
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from zspag_core.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Kept = TypeVar("Kept")
Kind = Any  # a class, as torch wants it


class StageCache:
    """Finished parts of a run, by name; this base remembers nothing."""

    @property
    def begun(self) -> bool:
        """Tell whether an earlier attempt at this very run kept something."""
        return False

    def shares(self, _part: str) -> bool:
        """Tell whether a part may come from another run."""
        return False

    def recall(self, _part: str) -> Any:  # noqa: ANN401 - whatever was kept
        """Return what was kept of a part, None where there is nothing."""
        return None

    def keep(self, part: str, value: object) -> None:
        """Keep the outcome of a part, in place of an earlier one."""

    def forget(self) -> None:
        """Remove everything that was kept."""

    def room(self, _name: str) -> StageCache:
        """Return a memory of its own inside this one: what is kept in one room cannot be recalled from another."""
        return self

    def file(self, _part: str) -> Path | None:
        """Return where a part that keeps a file of its own may do so, None for nowhere."""
        return None

    def once(self, part: str, make: Callable[[], Kept]) -> Kept:
        """Return what was kept of a part, else make it and keep it."""
        known: Kept | None = self.recall(part)
        if known is None:
            known = make()
            self.keep(part, known)
        return known


NO_CACHE = StageCache()


class FileStageCache(StageCache):
    """Keeps one file a part in a folder.

    What belongs to another request, was cut off or cannot be read counts as not there. Files are read without running
    anything that stands in them.
    """

    def __init__(self, folder: Path, identity: str, kinds: Sequence[Kind] = ()) -> None:
        """Use a folder, which is made when the first part is kept.

        Args:
            folder: of this run alone.
            identity: text that is the same exactly when the same is asked of the same model and data.
            kinds: classes, beside tensors and plain values, whose objects may be kept.
        """
        self.folder, self.identity = folder, identity
        self.kinds = list(kinds)

    @property
    def begun(self) -> bool:
        """Tell whether an earlier attempt at this very run kept something."""
        return self.folder.exists()

    def recall(self, part: str) -> Any:  # noqa: ANN401 - whatever was kept
        """Return what was kept of a part, None where there is nothing to use."""
        try:
            with torch.serialization.safe_globals(self.kinds):
                state = torch.load(self._path(part), weights_only=True)
        except (OSError, pickle.UnpicklingError, RuntimeError, EOFError):
            return None
        return state["value"] if isinstance(state, dict) and state.get("identity") == self.identity else None

    def keep(self, part: str, value: object) -> None:
        """Write a part; a reader sees the old one or the new one, never half of it. Without space, none is kept."""
        with contextlib.suppress(OSError, RuntimeError), replace_file(self._path(part)) as partial:
            torch.save({"identity": self.identity, "value": value}, partial)

    def room(self, name: str) -> FileStageCache:
        """Return a memory in a subfolder."""
        return FileStageCache(self.folder / name, self.identity, self.kinds)

    def file(self, part: str) -> Path | None:
        """Return the path of a part that is written by others."""
        return self._path(part)

    def forget(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, part: str) -> Path:
        return self.folder / f"{part}.pt"
