"""Stages that runs have in common, kept on disk: made once, whichever process needs them next."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, Any

import torch

from zspag_core import files
from zspag_core.attacks.catalogue import BUILT_IN
from zspag_core.methods.shared_stages import DEPENDS
from zspag_core.runs.baseline import GRADE, RELEARNT
from zspag_core.runs.resume import KINDS, cache_of
from zspag_core.runs.stage_cache import FileStageCache, StageCache
from zspag_core.runs.version import code_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from zspag_core.runs.prepare import Prepared

MOST_FILES, MOST_BYTES = 400, 4 << 30
"""The oldest stages beyond these are removed: those of 900 proxies of 32 pixels take some 40 MB a run."""
METHOD = "method"
"""The room of a method's own stages (see :mod:`zspag_core.runs.execute`)."""


class SharedCache(StageCache):
    """The cache of one run, of which some parts are kept for every run that depends on the same things."""

    def __init__(
        self, own: StageCache, shared: Mapping[str, str], rooms: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        """Stand before a run's own memory.

        Args:
            own: keeps all that is not shared.
            shared: part -> text that is the same exactly when the part is.
            rooms: the same for rooms inside this one, by their names.
        """
        self.own, self.shared, self.rooms = own, shared, rooms or {}

    @property
    def begun(self) -> bool:
        """Tell whether an earlier attempt at this very run kept something."""
        return self.own.begun

    def shares(self, part: str) -> bool:
        """Tell whether a part may come from another run."""
        return part in self.shared

    def recall(self, part: str) -> Any:  # noqa: ANN401 - whatever was kept
        """Return what was kept of a part, by this run or another."""
        if part not in self.shared:
            return self.own.recall(part)
        return _drawer(self.shared[part]).recall(part)

    def keep(self, part: str, value: object) -> None:
        """Keep a part, for others too where they may share it."""
        if part not in self.shared:
            self.own.keep(part, value)
            return
        _drawer(self.shared[part]).keep(part, value)
        _remove_oldest()

    def forget(self) -> None:
        """Remove what is the run's own."""
        self.own.forget()

    def room(self, name: str) -> StageCache:
        """Return a room, with what is shared in it."""
        inner = self.own.room(name)
        return SharedCache(inner, self.rooms[name]) if name in self.rooms else inner

    def file(self, part: str) -> Path | None:
        """Return the path of a part of the run's own."""
        return self.own.file(part)


def shared_cache(prepared: Prepared, state: Path | None) -> StageCache:
    """Return the cache of a run: its own in a folder, and what it shares with others under ZSPAG_HOME."""
    own, model, method = cache_of(prepared, state), _model_of(prepared), prepared.method
    config = prepared.config
    settings = {"seed": config.seed, "hold_out": config.hold_out, "relearning": config.relearning}
    original = {
        GRADE: repr((GRADE, model, config.seed)),
        RELEARNT: repr((RELEARNT, model, config.seed, config.relearning)),
    }
    if getattr(method, "attack", "pgd") not in {attack.key for attack in BUILT_IN}:
        return SharedCache(own, original)  # a plug-in's source is not part of the code version
    parts = {
        part: repr((METHOD, method.name, model, settings, [(name, getattr(method, name)) for name in names]))
        for part, names in DEPENDS.get(method.name, {}).items()
    }
    return SharedCache(own, original, {METHOD: parts})


def shared_with_all(prepared: Prepared, part: str) -> SharedCache:
    """Return a memory for a part that depends on model, data and classes alone."""
    return SharedCache(StageCache(), {part: repr((part, _model_of(prepared)))})


def _model_of(prepared: Prepared) -> tuple[Any, ...]:
    """Return what says which model, data, classes, device, threads (another number is another rounding) and code."""
    config, data = prepared.config, prepared.dataset
    reading = (config.model, sorted(config.reading.items()), config.model_classes, config.order)
    images = [(len(part), part.fingerprint()) for part in (data.train, data.test)]
    place = (str(prepared.device), torch.backends.cpu.get_cpu_capability(), torch.get_num_threads())
    return prepared.checkpoint.sha256, reading, images, config.classes, place, code_version()


def _folder() -> Path:
    return files.home() / "stages"


def _drawer(identity: str) -> FileStageCache:
    """Return where a shared part lies."""
    return FileStageCache(_folder() / hashlib.sha256(identity.encode()).hexdigest()[:24], identity, KINDS)


def _remove_oldest() -> None:
    """Remove the stages beyond the newest; one that somebody reads at this moment is made again."""
    room = MOST_BYTES
    for place, (_, size, path) in enumerate(sorted(_kept(), reverse=True)):
        room -= size
        if place >= MOST_FILES or room < 0:
            with contextlib.suppress(OSError):
                path.unlink()
                path.parent.rmdir()


def _kept() -> Iterator[tuple[int, int, Path]]:
    """Yield time, bytes and path of every stage that is kept."""
    for path in _folder().glob("*/*.pt"):
        with contextlib.suppress(OSError):  # another process removes, too
            about = path.stat()
            yield about.st_mtime_ns, about.st_size, path
