"""What a browser or a file must never bring about: that code of a model's owner is run."""

from __future__ import annotations

from zspag_core.errors import UsageError

CODE = "python:"
"""Beginning of a source whose network is made by running a file of its owner."""
NOT_HERE = "model: an owner's own code (python:…) runs from the command line and from Python only"


def refuse_code(source: object) -> None:
    """Refuse a source that would run its owner's code.

    Raises:
        UsageError: it would.
    """
    if isinstance(source, str) and source.strip().lower().startswith(CODE):
        raise UsageError(NOT_HERE)
