"""All unlearning methods: one file each (or one a family), their facts in the catalogue.

The names below are imported when they are first used: the catalogue is read where torch is not wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.lazy import importer
from zspag_core.methods.catalogue import choices, find_entry

if TYPE_CHECKING:
    from zspag_core.methods.base import Method as Method
    from zspag_core.methods.base import RetainMethod as RetainMethod
    from zspag_core.methods.base import Unlearned as Unlearned
    from zspag_core.methods.base import ZeroShotMethod as ZeroShotMethod

    METHODS: tuple[type[Method], ...]
    """Every method's class, as a form lists them."""

_HOMES = dict.fromkeys(("Method", "RetainMethod", "Unlearned", "ZeroShotMethod"), "base")
_imported = importer(__name__, _HOMES)

__all__ = [  # noqa: PLE0604 - names
    *_HOMES,
    "METHODS",
    "describe_methods",
    "find_method",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for."""
    if name == "METHODS":
        return tuple(find_entry(key).load() for key in choices())
    return _imported(name)


def find_method(name: str) -> type[Method]:
    """Return the method of that name.

    Raises:
        UsageError: there is none.
    """
    return find_entry(name).load()


def describe_methods() -> list[dict[str, Any]]:
    """Return name, title, needs_retain and the parameters' schema of every method."""
    from zspag_core.hyperparameters import schema

    entries = [find_entry(key) for key in choices()]
    return [
        {"name": e.key, "title": e.title, "needs_retain": e.needs_retain, "parameters": schema(e.load())}
        for e in entries
    ]
