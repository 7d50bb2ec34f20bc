"""Which code made a result: what another version made is not taken for what this one would make."""

from __future__ import annotations

import hashlib
from functools import cache

from zspag_core.shipped import ENGINE


@cache
def code_version() -> str:
    """Return a digest of the engine's source."""
    digest = hashlib.sha256()
    for path in sorted(ENGINE.rglob("*.py")):
        digest.update(path.relative_to(ENGINE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]
