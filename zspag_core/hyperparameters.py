"""Hyper-parameters as dataclass fields: one declaration makes the default, the check, the schema and the form."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from zspag_core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Configured = TypeVar("Configured")
NUMBER = "a number such as 0.03 or 8/255"
LISTED, ALIKE = 12, 0.6  # names that one sentence can hold; how alike two names are that may be meant for each other
KINDS: dict[str, type] = {kind.__name__: kind for kind in (bool, int, float, str)}
_TRUE, _FALSE = {"true", "yes", "1", "on"}, {"false", "no", "0", "off"}


def knob(
    default: Any,  # noqa: ANN401 - a field of any of the schema's types
    help: str,  # noqa: A002 - the schema's own word
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[str] = (),
    unit: str = "",
    basic: bool = False,
) -> Any:  # noqa: ANN401 - dataclasses.field is typed so
    """Declare a hyper-parameter of a frozen dataclass.

    Args:
        default: the value used when nobody says otherwise.
        help: one sentence that says what turning it does.
        minimum: smallest value allowed.
        maximum: largest value allowed.
        choices: the words allowed, for a text.
        unit: unit of the value, empty when it has none.
        basic: whether a form shows it before the fold.
    """
    about = {"min": minimum, "max": maximum, "choices": list(choices) or None, "unit": unit, "help": help}
    return dataclasses.field(default=default, metadata={"schema": about, "basic": basic})


def schema(kind: type) -> list[dict[str, Any]]:
    """Return one record per knob: name, type, default, min, max, choices, unit, help."""
    return [
        {"name": field.name, "type": _type_of(kind, field.name).__name__, "default": field.default}
        | field.metadata["schema"]
        for field in _knobs(kind)
    ]


def basic_names(kind: type) -> tuple[str, ...]:
    """Return the names of the knobs that a form shows before the fold."""
    return tuple(field.name for field in _knobs(kind) if field.metadata["basic"])


def values(configured: object) -> dict[str, Any]:
    """Return the value of every knob of a configured object."""
    return {field.name: getattr(configured, field.name) for field in _knobs(type(configured))}


def configure(kind: type[Configured], settings: Mapping[str, Any]) -> Configured:
    """Build a configured object from settings, which may be texts as a command line gives them.

    Raises:
        UsageError: a name is unknown, a value has the wrong type or lies outside its range.
    """
    known = {field.name: field for field in _knobs(kind)}
    for name in settings:
        if name not in known:
            raise unknown(name, list(known))
    parsed = {name: _parse(name, _type_of(kind, name), value) for name, value in settings.items()}
    for name, value in parsed.items():
        _check(name, value, known[name].metadata["schema"])
    return kind(**parsed)


def read_value(about: Mapping[str, Any], value: Any) -> Any:  # noqa: ANN401 - a value of any knob type
    """Return a value of one knob, which may be a text, given its record in the schema.

    Raises:
        UsageError: it has the wrong type or lies outside its range.
    """
    parsed = _parse(about["name"], KINDS[about["type"]], value)
    _check(about["name"], parsed, about)
    return parsed


def unknown(name: str, known: Sequence[str]) -> UsageError:
    """Return the refusal of a name that is no knob's."""
    return UsageError(f"{name}: no such setting; expected {_expected(name, known)}")


def _expected(name: str, known: Sequence[str]) -> str:
    """Say which names there are; of many, those that an unknown one may be meant for, else the first."""
    if len(known) <= LISTED:
        return f"one of {', '.join(known)}" if known else "none at all"
    near = difflib.get_close_matches(name.lower(), known, cutoff=ALIKE)
    if near:
        return f"one of {len(known)}, perhaps {' or '.join(near)}"
    return f"one of {', '.join(known[:LISTED])} and more, {len(known)} in all"


def _knobs(kind: type) -> list[dataclasses.Field[Any]]:
    """Return the fields that were declared with `knob`."""
    return [field for field in dataclasses.fields(kind) if "schema" in field.metadata]


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Return the types of a class's fields; reading them takes a millisecond, and a method has forty."""
    return typing.get_type_hints(kind)


def _type_of(kind: type, name: str) -> type:
    """Return the plain type of a field: int, float, bool or str."""
    hint = _hints(kind)[name]
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    return typing.cast("type", hint)


def _parse(name: str, kind: type, value: Any) -> Any:  # noqa: ANN401 - texts and plain values of every knob type
    """Turn a text or a plain value into the knob's type."""
    try:
        if kind is bool:
            return value if isinstance(value, bool) else _parse_bool(str(value))
        if kind is int:
            return _parse_int(value)
        return read_float(value) if kind is float else kind(value)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        expected = {float: NUMBER, int: "a whole number", bool: "true or false"}.get(kind, kind.__name__)
        raise UsageError(f"{name}: expected {expected}, got {value!r}") from None


def read_float(value: Any) -> float:  # noqa: ANN401 - as above
    """Read a number, as a text also a fraction such as 8/255: papers write changes of pixels so.

    Raises:
        TypeError, ValueError, OverflowError, ZeroDivisionError: it is none.
    """
    return float(Fraction("".join(value.split()))) if isinstance(value, str) and "/" in value else float(value)


def _parse_int(value: Any) -> int:  # noqa: ANN401 - as above
    """Read a whole number, also one written as 1e3; large ones do not pass through a float, which would round them."""
    if isinstance(value, bool):
        raise TypeError(value)
    if isinstance(value, int) or (isinstance(value, str) and value.strip().isdecimal()):
        return int(value)
    number = float(value)
    if number != int(number):
        raise ValueError(value)
    return int(number)


def _parse_bool(text: str) -> bool:
    """Read yes or no from a text."""
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise ValueError(text)


def _check(name: str, value: Any, about: Mapping[str, Any]) -> None:  # noqa: ANN401 - any knob type
    """Refuse a value outside its choices or range."""
    if about["choices"] and value not in about["choices"]:
        raise UsageError(f"{name}: expected one of {', '.join(about['choices'])}, got {value!r}")
    low, high = about["min"], about["max"]
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{name}: expected a finite number, got {value}")
    if (low is not None and value < low) or (high is not None and value > high):
        raise UsageError(f"{name}: expected {_range(low, high)}, got {value}")


def _range(low: float | None, high: float | None) -> str:
    """Say a range in words."""
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}"
