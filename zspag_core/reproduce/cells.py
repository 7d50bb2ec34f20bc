"""Finished parts of a table on disk, one JSON file each, so that nothing is computed twice."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from zspag_core.files import finite, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

VERSION = 3
"""Raised when the same identity would come to something else."""


class Cells:
    """A folder of finished cells.

    Attributes:
        folder: one file a cell.
        made: how many were computed by this object.
        found: how many were there already.
    """

    def __init__(self, folder: Path) -> None:
        """Use a folder, which is made with the first cell."""
        self.folder, self.made, self.found = folder, 0, 0

    def once(self, name: str, identity: Mapping[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return a cell's value: from its file where that has this very identity, else made now and kept.

        Args:
            name: begins the file's name, for people.
            identity: plain values that are the same exactly when the same is computed.
            make: computes the value, plain values too.
        """
        asked = json.loads(json.dumps(finite({"version": VERSION, **identity})))
        path = self.path(name, asked)
        known = _read(path)
        if known is not None and known.get("identity") == asked:
            self.found += 1
            value: dict[str, Any] = known["value"]
            return value
        value = finite(make())
        write_json(path, {"identity": asked, "value": value})
        self.made += 1
        return value

    def path(self, name: str, identity: Mapping[str, Any]) -> Path:
        """Return where the cell of an identity is kept."""
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
        return self.folder / f"{re.sub(r'[^A-Za-z0-9_-]+', '_', name)}-{digest}.json"


def _read(path: Path) -> dict[str, Any] | None:
    """Read a cell; what is cut off or not a cell counts as not there."""
    try:
        record = read_json(path)
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and "value" in record else None
