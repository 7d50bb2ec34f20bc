"""Names of a model's outputs, as people write them down: one a line, numbered lines, or JSON; light, for pages too."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zspag_core.errors import UsageError
from zspag_core.wording import well_formed

if TYPE_CHECKING:
    from collections.abc import Sequence

CLASS_NAMES = ("class_names", "classes", "label_names", "labels", "categories", "idx_to_class", "id2label", "idx2label")
CLASS_NUMBERS = ("class_to_idx", "label2id", "class_to_id", "class_indices")
ONE_A_LINE = "expected one class name a line"
NUMBERED = re.compile(r"(\d{1,9})(?:\s*[:;,.)=-]\s*|\s+)(\S.*)")
SHOWN = 60


@dataclass(frozen=True)
class Names:
    """What a file calls the outputs.

    Attributes:
        names: in their order.
        note: how that order was taken, where it is not that of the lines; empty otherwise.
    """

    names: tuple[str, ...]
    note: str = ""


def read_class_names(text: str) -> Names:
    """Read names of a model's outputs out of a text.

    Args:
        text: one name a line; every line with its number before it, from 0 or from 1; or JSON: a list of names, names
            by number ({"0": "cat"}), numbers by name ({"cat": 0}), or one of these under a usual name (id2label).

    Raises:
        UsageError: it holds no names, or not one for each output.
    """
    if text.lstrip()[:1] in {"{", "["}:
        if (value := _json(text)) is not None:
            return _from_json(value)
        if text.lstrip()[1:].lstrip()[:1] == '"':
            raise UsageError(f"{ONE_A_LINE}, or JSON, and this begins as JSON and is broken: {_short(text.strip())}")
    lines = [line.strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not lines or "" in lines:
        where = f"line {lines.index('') + 1} is empty" if lines else "there is none"
        raise UsageError(f"{ONE_A_LINE}, but {where}")
    if len(lines) == 1 and (mark := next((mark for mark in ",;\t" if mark in lines[0]), "")):
        parts = len([part for part in lines[0].split(mark) if part.strip()])
        raise UsageError(f"{ONE_A_LINE}, got {parts} in one line: {_short(lines[0])}")
    return _without_numbers(lines)


def given_twice(names: Sequence[str]) -> str | None:
    """Return the first name that stands there twice, None where there is none."""
    return next((name for place, name in enumerate(names) if name in names[:place]), None)


def class_names(value: object) -> list[str]:
    """Return class names in the order of the outputs; nothing where the value does not say each output's name.

    Args:
        value: a list of names, or names by number ({"0": "cat"}), or numbers by name ({"cat": 0}).
    """
    if isinstance(value, dict):
        value = _in_order(value)
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        return []
    return [well_formed(name) for name in value] if len(set(value)) == len(value) else []


def _in_order(value: dict[Any, Any]) -> list[Any]:
    """Return the names of a dictionary by their numbers, which must count up from 0."""
    pairs = (
        value.items() if any(isinstance(name, str) for name in value.values()) else ((n, k) for k, n in value.items())
    )
    try:
        numbered = {int(number): name for number, name in pairs}
    except (TypeError, ValueError, OverflowError):  # a text, a list, infinity
        return []
    return [numbered[index] for index in range(len(numbered))] if set(numbered) == set(range(len(value))) else []


def _json(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a JSON text, None for any other text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _from_json(value: Any) -> Names:  # noqa: ANN401 - any JSON value
    """Return the names that a JSON value gives.

    Raises:
        UsageError: it does not give each output a name of its own.
    """
    inner = [value.get(key) for key in (*CLASS_NAMES, *CLASS_NUMBERS)] if isinstance(value, dict) else []
    for part in (value, *inner):
        if names := class_names(part):
            return Names(tuple(name.strip() for name in names))
    raise UsageError(
        'expected JSON that gives each output a name of its own, numbered from 0: ["cat", "dog"], '
        f'{{"0": "cat", "1": "dog"}} or {{"cat": 0, "dog": 1}}, got {_short(json.dumps(value, ensure_ascii=False))}'
    )


def _without_numbers(lines: list[str]) -> Names:
    """Return the names of lines; in the order of the numbers before them where all lines are numbered."""
    found = [match for line in lines if (match := NUMBERED.fullmatch(line))]
    names = {int(match[1]): match[2] for match in found}
    first = min(names, default=0)
    counted = len(lines) > 1 and first in {0, 1} and set(names) == set(range(first, first + len(lines)))
    if not counted or len(found) < len(lines) or len(set(names.values())) < len(lines):
        return Names(tuple(lines))
    note = (
        f"the lines of class names are numbered from {first}: the names are taken without the numbers, in their order"
    )
    return Names(tuple(names[number] for number in sorted(names)), note)


def _short(text: str) -> str:
    """Return the beginning of a text."""
    return well_formed(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
