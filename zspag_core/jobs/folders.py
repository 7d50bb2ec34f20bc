"""Where a job's files lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core import files

if TYPE_CHECKING:
    from pathlib import Path


def run_folder(job_id: str) -> Path:
    """Return the folder of a run's files."""
    return files.home() / "runs" / job_id


def state_folder(job_id: str) -> Path:
    """Return the folder in which an unfinished run keeps what it has finished."""
    return files.home() / "runs" / f".{job_id}.state"
