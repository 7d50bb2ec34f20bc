"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; the test is skipped where there is none."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ZSPAG_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"no folder of real data sets at {folder}; set ZSPAG_DATA to one")
    return folder
