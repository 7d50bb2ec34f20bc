"""Records of the runs that ship: those of the lessons, and models trained anew, a reference for runs on both models."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zspag_core.shipped import ASSETS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Records = Mapping[str, Mapping[str, Any]]

RETRAINED = ("retrain", "retrain_1", "retrain_2")
"""Names of the records of models that were trained anew, one a seed."""

FOLDER = ASSETS / "lessons"
YARDSTICK = FOLDER / "5_numbers.json"
"""Runs of the lesson that ships models trained anew."""
DEMO_RETRAINED = FOLDER / "demo.json"
"""The demo's model, trained anew."""


@dataclass(frozen=True)
class Shipped:
    """The runs that ship with a lesson.

    Attributes:
        made: the day, as people write it.
        machine: the kind of machine.
        records: value of the lesson's knob -> record.
    """

    made: str
    machine: str
    records: Mapping[str, Mapping[str, Any]]


def shipped_runs(file: Path) -> Shipped:
    """Return the runs that ship with a lesson in a file; none where the file is not there."""
    if not file.exists():
        return Shipped("", "", {})
    found = json.loads(file.read_text(encoding="utf-8"))
    return Shipped(found["made"], found["machine"], found["runs"])
