"""What the build adds to pyproject.toml: the dependencies, which stand in requirements.txt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Requirements(MetadataHookInterface):
    """Reads the dependencies."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in one dependency a line; what follows a # is a comment."""
        text = (Path(self.root) / "requirements.txt").read_text(encoding="utf-8")
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        metadata["dependencies"] = [line for line in lines if line]
