"""Waiting while the database is locked, full or away: no run is lost for that."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from zspag_core.jobs.store import JobStore

AGAIN_SECONDS = 1.0
PATIENCE_SECONDS = 900.0
"""So long a run waits for its database before it fails: somebody must notice that the disk is full, and make room."""


def patient(store: JobStore, stopping: threading.Event) -> JobStore:
    """Return a store whose calls wait and try again where the database cannot be used at the moment.

    Args:
        store: whose calls they are.
        stopping: no call waits once this is set.
    """
    return cast("JobStore", _Patient(store, stopping))


class _Patient:
    """Passes every call on, again and again if need be."""

    def __init__(self, store: JobStore, stopping: threading.Event) -> None:
        self._store, self._stopping = store, stopping

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        found = getattr(self._store, name)
        return functools.partial(self._call, found) if callable(found) else found

    def _call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        began = time.monotonic()
        while True:
            try:
                return function(*arguments, **named)
            except OperationalError as error:
                gone = "no such table" in str(error.orig)  # it will not come back
                if gone or time.monotonic() - began > PATIENCE_SECONDS or self._stopping.wait(AGAIN_SECONDS):
                    raise
