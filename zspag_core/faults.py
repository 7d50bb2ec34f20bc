"""Faults of the machine, not of a request: a disk that is full or read-only, a database that is locked or gone."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NO_ROOM = 64 * 1024
"""Bytes: a disk with less left than this is what made a library's writing fail, though it does not say so."""


def fault_words(error: BaseException) -> str | None:
    """Say in one sentence what of the machine failed; None where the error is another one."""
    if isinstance(error, OSError):
        return f"{error.filename or 'file'}: {error.strerror or error}"
    if (reason := _reason_of_database(error)) is not None:
        return f"the database of the runs cannot be used: {reason}; once it can, everything goes on where it was"
    return None


def _reason_of_database(error: BaseException) -> str | None:
    """Return what the database itself says, None where the error is not one of its operation."""
    exceptions = sys.modules.get("sqlalchemy.exc")  # where it was never imported, it raised nothing
    if exceptions is None or not isinstance(error, exceptions.OperationalError):
        return None
    return " ".join(str(error.orig).split())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Give every failure to write `path` the form of an OSError that names it.

    Libraries that write tensors have errors of their own for a full disk, which say neither that nor where.

    Raises:
        OSError: the file cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
    except Exception as error:
        full = os.strerror(errno.ENOSPC)
        if full in str(error) or shutil.disk_usage(path.parent).free < NO_ROOM:
            raise OSError(errno.ENOSPC, full, str(path)) from error
        raise
