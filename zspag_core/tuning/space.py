"""What a sweep varies: knobs of a method's schema, each a list of values or a range."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from zspag_core.errors import UsageError
from zspag_core.hyperparameters import NUMBER, read_float, read_value, schema, unknown
from zspag_core.methods.catalogue import find_entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

GRID_POINTS = 5
"""How many values a grid takes from a range that does not say it."""
MOST_VALUES = 1000
FORM = "NAME=10,30,100 or NAME=4/255..64/255, behind a range :log, or :5 for that many values in a grid"
DIGITS = 6
"""Significant digits of a value within a range: a configuration that can be typed again."""

Value = bool | int | float | str


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One knob that is varied.

    Attributes:
        name: of the hyper-parameter.
        values: a list; empty for a range.
        low, high: ends of a range.
        log: whether a range is logarithmic.
        whole: whether its values are whole numbers.
        points: values that a grid takes from a range.
    """

    name: str
    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    points: int = GRID_POINTS

    def at(self, share: float) -> Value:
        """Return the value at a share, 0 to 1, of the way from the first to the last."""
        if self.values:
            return self.values[min(int(share * len(self.values)), len(self.values) - 1)]
        if share in {0.0, 1.0}:
            end = self.high if share else self.low
            return int(end) if self.whole else end
        return self.tidy(self.low * (self.high / self.low) ** share if self.log else self._between(share))

    def tidy(self, value: float) -> Value:
        """Return a number of a range, rounded, within its ends, which stay as they are."""
        if self.whole:
            return min(max(round(value), int(self.low)), int(self.high))
        rounded = _rounded(value)
        end = next((end for end in (self.low, self.high) if rounded == _rounded(end)), rounded)
        return min(max(end, self.low), self.high)

    def grid(self) -> tuple[Value, ...]:
        """Return the values that a grid has."""
        if self.values:
            return self.values
        steps = max(1, self.points - 1)
        return tuple(dict.fromkeys(self.at(k / steps) for k in range(self.points)))

    def every(self) -> Sequence[Value]:
        """Return all values that there are; of a range of whole numbers only, one of real numbers has no end."""
        return self.values or range(int(self.low), int(self.high) + 1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return vars(self) | {"values": list(self.values)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Axis:
        """Rebuild an axis from plain values."""
        return cls(**{**record, "values": tuple(record["values"])})

    def __str__(self) -> str:
        """Return the axis as it would be typed."""
        if self.values:
            return f"{self.name}={','.join(map(str, self.values))}"
        log, points = ":log" if self.log else "", "" if self.points == GRID_POINTS else f":{self.points}"
        return f"{self.name}={self.low:.{DIGITS}g}..{self.high:.{DIGITS}g}{log}{points}"

    def _between(self, share: float) -> float:
        return self.low + share * (self.high - self.low)


def parse_space(texts: Sequence[str], method: str, settings: Mapping[str, Any]) -> tuple[Axis, ...]:
    """Read what is varied, as typed, and check it against a method's schema; as :func:`read_space`."""
    return read_space(texts, schema(find_entry(method).load()), settings)


def read_space(
    texts: Sequence[str], knobs: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> tuple[Axis, ...]:
    """Read what is varied, as typed, and check it.

    Args:
        texts: such as "epsilon=4/255..64/255:log", "n_adv=10,30,100", "attack=pgd,fgsm".
        knobs: the method's schema, see :func:`zspag_core.hyperparameters.schema`.
        settings: the method's settings that are not varied.

    Raises:
        UsageError: nothing is varied, or a name, a value or a range is none of the method's.
    """
    if not texts:
        raise UsageError(f"--space: expected at least one knob to vary, as {FORM}")
    known = {about["name"]: about for about in knobs}
    axes = tuple(_parse_axis(text, known) for text in texts)
    check_space(axes, knobs, settings)
    return axes


def check_space(axes: Sequence[Axis], knobs: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> None:
    """Refuse a space that has values of which the method knows nothing.

    Raises:
        UsageError: a knob is unknown, varied twice, or varied and set; a value is none of the knob's.
    """
    known = {about["name"]: about for about in knobs}
    for place, axis in enumerate(axes):
        if axis.name not in known:
            raise unknown(axis.name, list(known))
        if axis.name in [other.name for other in axes[:place]]:
            raise UsageError(f"--space: {axis.name} is varied twice")
        if axis.name in settings:
            raise UsageError(f"--space: {axis.name} is varied, and set by --set or --preset as well")
        for value in axis.values or (axis.low, axis.high):
            read_value(known[axis.name], value)


def size_of(axes: Sequence[Axis]) -> int:
    """Return how many points the grid has."""
    return prod(len(axis.grid()) for axis in axes)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def tidied(axes: Sequence[Axis], point: dict[str, Any]) -> dict[str, Value]:
    """Return a point with its numbers rounded to what can be typed again."""
    return {axis.name: point[axis.name] if axis.values else axis.tidy(point[axis.name]) for axis in axes}


def count_points(axes: Sequence[Axis]) -> int | None:
    """Return how many different points a space has; None where a range of real numbers has no end of them."""
    if not all(axis.values or axis.whole for axis in axes):
        return None
    return prod(len(axis.every()) for axis in axes)


def key_of(axes: Sequence[Axis], point: Mapping[str, Value]) -> tuple[Value, ...]:
    """Return what tells a point from others: its values in the order of the knobs."""
    return tuple(point[axis.name] for axis in axes)


def every_point(axes: Sequence[Axis]) -> Iterator[dict[str, Value]]:
    """Yield all points of a space that has an end, the last knob varying fastest."""
    names = [axis.name for axis in axes]
    return (dict(zip(names, point, strict=True)) for point in itertools.product(*(axis.every() for axis in axes)))


def grid_points(axes: Sequence[Axis]) -> list[dict[str, Value]]:
    """Return every point of the grid, the last knob varying fastest."""
    names = [axis.name for axis in axes]
    return [dict(zip(names, point, strict=True)) for point in itertools.product(*(axis.grid() for axis in axes))]


def _parse_axis(text: str, known: Mapping[str, Mapping[str, Any]]) -> Axis:
    """Read one knob."""
    name, equals, given = text.partition("=")
    name = name.strip()
    if not equals or not name or not given.strip():
        raise UsageError(f"--space: expected {FORM}, got {text!r}")
    if name not in known:
        raise unknown(name, list(known))
    kind = known[name]["type"]
    if kind in {"int", "float"} and ".." in given:
        return _parse_range(name, given, whole=kind == "int")
    return Axis(name=name, values=_parse_list(given, known[name]))


def _parse_range(name: str, given: str, *, whole: bool) -> Axis:
    """Read LOW..HIGH, with :log and :COUNT behind it."""
    ends, *marks = given.split(":")
    first, _, last = ends.partition("..")
    low, high = _number(name, first), _number(name, last)
    points, log = GRID_POINTS, False
    for mark in (mark.strip() for mark in marks):
        if mark == "log":
            log = True
        elif mark.isdecimal() and 2 <= int(mark) <= MOST_VALUES:
            points = int(mark)
        else:
            raise UsageError(f"--space: {name}: expected log or a number from 2 behind the range, got {mark!r}")
    if not low < high:
        raise UsageError(f"--space: {name}: expected a range that rises, got {ends.strip()}")
    if log and low <= 0:
        raise UsageError(f"--space: {name}: expected a logarithmic range above 0, got {ends.strip()}")
    if whole and (low != int(low) or high != int(high)):
        raise UsageError(f"--space: {name}: expected whole numbers, got {ends.strip()}")
    return Axis(name=name, low=low, high=high, log=log, whole=whole, points=points)


def _parse_list(given: str, about: Mapping[str, Any]) -> tuple[Value, ...]:
    """Read values with commas between them."""
    parts = [part.strip() for part in given.split(",") if part.strip()]
    if not parts:
        raise UsageError(f"--space: {about['name']}: expected values with commas between them, got {given!r}")
    raw: list[Any] = [_number(about["name"], part) for part in parts] if about["type"] == "float" else list(parts)
    return tuple(dict.fromkeys(read_value(about, value) for value in raw))


def _number(name: str, text: str) -> float:
    """Read a number, also a fraction such as 8/255."""
    try:
        return read_float(text)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"--space: {name}: expected {NUMBER}, got {text.strip()!r}") from None
