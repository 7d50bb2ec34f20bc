"""What a result was made by and of, beside its configuration: of other code or files it would be another one."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from zspag_core.shipped import ENGINE

Stamp = tuple[int, int] | None


@cache
def code_version() -> str:
    """Return a digest of the engine's source: what another version made is not taken for what this one would make."""
    digest = hashlib.sha256()
    for path in sorted(ENGINE.rglob("*.py")):
        digest.update(path.relative_to(ENGINE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def stamp(place: str) -> Stamp:
    """Return size and time of a file or folder; None for the name of a data set."""
    path = Path(place)
    if not path.exists():
        return None
    about = path.stat()
    return about.st_size, about.st_mtime_ns
