"""Checkpoints: self-describing files that hold a classifier, saved safely and read with suspicion."""

from __future__ import annotations

from zspag_core.checkpoints.loading import Checkpoint, load_checkpoint
from zspag_core.checkpoints.saving import save_checkpoint

__all__ = ["Checkpoint", "load_checkpoint", "save_checkpoint"]
