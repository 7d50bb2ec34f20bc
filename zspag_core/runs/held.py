"""Model and data of the last run, kept in a worker's memory for the next one of the same lane."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from zspag_core.files import stamp
from zspag_core.runs.prepare import check, read_for

if TYPE_CHECKING:
    from zspag_core.checkpoints import Checkpoint
    from zspag_core.data.dataset import DataSet
    from zspag_core.runs.config import RunConfig
    from zspag_core.runs.prepare import Prepared

LANES = 2
"""Threads of one worker that carry runs out; none sees another's model, on which that may have hooks."""
VARIED = ("method", "settings", "seed", "device", "relearning", "hold_out")
"""Of a run's configuration, what its model and data do not depend on."""


def prepare_held(config: RunConfig) -> Prepared:
    """Prepare a run; model and data of the last one are used again while their files are as they were."""
    stamps = tuple(stamp(Path(place)) for place in (config.checkpoint, config.data))
    return check(config, *_read(_Asked(config), stamps, threading.get_ident()))


class _Asked:
    """A configuration that equals others which differ only in what model and data do not depend on."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self._key = repr([(name, value) for name, value in sorted(config.to_dict().items()) if name not in VARIED])

    def __eq__(self, other: object) -> bool:
        """Compare what matters."""
        return isinstance(other, _Asked) and self._key == other._key

    def __hash__(self) -> int:
        """Hash what matters."""
        return hash(self._key)


@lru_cache(maxsize=LANES)
def _read(asked: _Asked, _stamps: tuple[object, ...], _thread: int) -> tuple[Checkpoint, DataSet]:
    return read_for(asked.config)
