"""What a worker of short tasks does before the first of them comes."""

from __future__ import annotations

import contextlib

from zspag_core.errors import ZspagError
from zspag_core.shipped import DEMO_DATA, DEMO_MODEL


def warm_up_short_tasks() -> None:
    """Import what short tasks need, and look into the demo's data once: the first look took 5 s beside a run."""
    import zspag_core.tasks.preview  # noqa: F401
    from zspag_core.tasks.inspect_data import look_into

    with contextlib.suppress(ZspagError, OSError):
        look_into({"data": DEMO_DATA, "checkpoint": str(DEMO_MODEL)})
