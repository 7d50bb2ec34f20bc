"""The errors that a visitor may see: one plain sentence each (what, where, what was expected)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core.wording import on_one_line

if TYPE_CHECKING:
    from collections.abc import Sequence


class ZspagError(Exception):
    """Base of every error whose message is meant to be read by a person, on one line whatever the file's names hold."""

    def __str__(self) -> str:
        """Return the sentence."""
        return on_one_line(super().__str__())


class UsageError(ZspagError):
    """A request that cannot be carried out as asked: a wrong name, value or combination."""


class DataError(ZspagError):
    """A data set that cannot be used as it is."""


class MisfitError(DataError, UsageError):
    """A data set that can be used, but not with the model at hand.

    Attributes:
        reason: why not, in words without capital or full stop.
    """

    def __init__(self, reason: str) -> None:
        """Say that model and data do not fit, and why."""
        super().__init__(f"model and data do not fit: {reason}")
        self.reason = reason


class CheckpointError(ZspagError):
    """A checkpoint that is refused."""


class UnlearningError(ZspagError):
    """A run that started and had to stop, for example because the loss became NaN."""


class ForbiddenError(ZspagError):
    """Something of another visitor's that one may at most look at."""


class LimitError(ZspagError):
    """A visitor asks for more than each may have."""


class Cancelled(ZspagError):
    """The person asked to stop; raised by a reporter, seen by whoever started the work."""


def some_of(names: Sequence[str], most: int) -> str:
    """Return the first names of a list for a refusal or a note, and "…" where there are more; with commas: quoted."""
    quoted = [f'"{name}"' if "," in name else name for name in map(on_one_line, names[:most])]
    return ", ".join([*quoted, *(["…"] if len(names) > most else [])])
