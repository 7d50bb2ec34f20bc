"""Model and data of the last run, kept in a worker's memory for the next one of the same lane."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from zspag_core.files import stamp
from zspag_core.runs.prepare import check, read_for

if TYPE_CHECKING:
    from zspag_core.checkpoints import Checkpoint
    from zspag_core.data.dataset import DataSet
    from zspag_core.runs.config import RunConfig
    from zspag_core.runs.prepare import Prepared

VARIED = ("method", "settings", "seed", "device", "relearning", "hold_out")
"""Of a run's configuration, what its model and data do not depend on."""


class _Held(threading.local):
    """What one thread holds: none sees another's model, on which that may have hooks."""

    key = ""
    read: tuple[Checkpoint, DataSet] | None = None


_held = _Held()


def prepare_held(config: RunConfig) -> Prepared:
    """Prepare a run; model and data of the thread's last one are used again while their files are as they were."""
    asked = [(name, value) for name, value in sorted(config.to_dict().items()) if name not in VARIED]
    key = repr((asked, stamp(Path(config.checkpoint)), stamp(Path(config.data))))
    if _held.read is None or _held.key != key:
        _held.read = None  # before the next ones are loaded: two would be held else
        _held.read, _held.key = read_for(config), key
    return check(config, *_held.read)
