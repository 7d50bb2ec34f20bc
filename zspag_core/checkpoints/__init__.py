"""Checkpoints: self-describing files that hold a classifier, saved safely and read with suspicion.

The names below are imported when they are first used: which kind of file something is, pages ask without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core.lazy import importer

if TYPE_CHECKING:
    from zspag_core.checkpoints.loading import Checkpoint as Checkpoint
    from zspag_core.checkpoints.loading import load_checkpoint as load_checkpoint
    from zspag_core.checkpoints.saving import save_checkpoint as save_checkpoint

_HOMES = {"Checkpoint": "loading", "load_checkpoint": "loading", "save_checkpoint": "saving"}

__all__ = [*_HOMES]  # noqa: PLE0604 - names, as the keys are

__getattr__ = importer(__name__, _HOMES)
