"""Which class of a data set is which output of a model: by name where there are names, never by a silent guess."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zspag_core.data.reading import PLAIN, ClassReading
from zspag_core.errors import DataError, MisfitError, some_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

NAMED = 6
"""How many names a sentence lists."""
MAX_CLASSES = 1000
MOST_DIGITS = 300
"""Of a number in a name, for its place in the order: Python reads no more than 4,300 as a number."""
DIFFER = "names of classes differ"
"""How the note on classes that are taken by their order begins."""
HOW = "give the model's names with --classes (a file, one name a line in the order of the outputs)"


@dataclass(frozen=True)
class Numbering:
    """The classes of a model, and which of them each class of the data is.

    Attributes:
        class_names: one per output of the model.
        places: the output of each class of the data, by the number that the data give it.
        notes: what was assumed, in sentences.
    """

    class_names: tuple[str, ...]
    places: Mapping[int, int]
    notes: tuple[str, ...] = ()


def natural(name: str) -> tuple[list[str | int], str]:
    """Return a sorting key that puts `class2` before `class10`."""
    pieces = re.split(r"(\d+)", name.casefold())
    return [int(piece[:MOST_DIGITS]) if number % 2 else piece for number, piece in enumerate(pieces)], name


def number_names(
    name: str, found: Sequence[str], reading: ClassReading = PLAIN, *, numbered: bool = False
) -> Numbering:
    """Return the numbering of classes that have names, such as folders.

    The model's own names win: exact, else without regard to capitals, spaces and underscores where that is
    unambiguous. As many classes as outputs whose names differ are taken in order where the names that agree stand at
    the same places. Without a model classes are numbered in the order of `reading`.

    Args:
        name: of the data set.
        found: its classes, each once.
        reading: what is known of the model.
        numbered: whether `found` stands in an order that the source itself gives.

    Raises:
        DataError: classes that the model does not have, or that two names of the model fit.
    """
    ordered, notes = (list(found), ()) if numbered else in_order(name, found, reading.order)
    places = {k: k if numbered else ordered.index(one) for k, one in enumerate(found)}
    if list(found) == list(reading.class_names or ()):
        return Numbering(tuple(found), {k: k for k in range(len(found))})
    if reading.class_names is not None:
        matched, loose = _match(name, found, reading.class_names)
        if len(matched) == len(found):
            return Numbering(reading.class_names, {k: matched[one] for k, one in enumerate(found)}, loose)
        by_place = _by_place(name, ordered, reading.class_names, matched)
        return Numbering(reading.class_names, places, (by_place, *notes))
    if reading.num_classes is not None and len(found) != reading.num_classes:
        raise MisfitError(_other_number(name, found, reading.num_classes))
    return Numbering(tuple(ordered), places, notes)


def number_labels(name: str, present: Sequence[int], reading: ClassReading = PLAIN) -> Numbering:
    """Return the numbering of labels that are numbers without names: they are the model's outputs, from 0.

    Labels from 1 to the number of classes, all of them present, are taken one lower; labels with gaps that are as many
    as the outputs are taken by their order. Where the outputs have no names, these labels are their names: what
    a person calls 5 is what the data call 5.

    Args:
        name: of the data set.
        present: the labels that occur, rising, none below 0.
        reading: what is known of the model.

    Raises:
        DataError: labels that can be no outputs of the model, or too many classes.
    """
    outputs, from_one = reading.outputs, list(present) == list(range(1, len(present) + 1))
    if outputs is None and not (from_one and len(present) > 1):
        return _as_they_are(numbered(name, present[-1]), present)
    if outputs is None:
        return _by_rank(name, [str(label) for label in present], present, "from 1; they are taken in that order")
    names = reading.class_names or tuple(str(k) for k in range(outputs))
    if _are_numbers(names) and {str(label) for label in present} <= set(names):
        return _by_digits(name, names, present)
    if present[-1] < outputs:
        listed = _list([str(label) for label in present])
        note = f"the labels of {name}, {listed}, are taken for places among the model's outputs, from 0"
        return _as_they_are(names, present, () if len(present) == outputs else (note,))
    if len(present) == outputs:  # where nobody has named the outputs, a class is called as its images are labelled
        called = reading.class_names or tuple(str(label) for label in present)
        how = f"{'from 1' if from_one else 'with gaps'}; they are taken in order as the model's {outputs} classes"
        return _by_rank(name, called, present, f"{how}: {present[0]} is output 0, called '{called[0]}'")
    raise MisfitError(
        f"{name} has labels up to {present[-1]}, the model tells {outputs} classes apart (labels 0 to {outputs - 1}); "
        f"where labels start at 1, only all of 1 to {outputs} show it"
    )


def in_order(name: str, found: Sequence[str], order: str | None) -> tuple[list[str], tuple[str, ...]]:
    """Return names in one of the orders, and a note where the other order differs and nobody asked for this one."""
    by_code, as_counted = sorted(found), sorted(found, key=natural)
    if order == "natural":
        return as_counted, ()
    if order == "code_point" or by_code == as_counted:
        return by_code, ()
    note = (
        f"the classes of {name} are numbered as torchvision's ImageFolder does ({_list(by_code)}); "
        f"--order natural takes {_list(as_counted)}"
    )
    return by_code, (note,)


def numbered(name: str, highest: int) -> tuple[str, ...]:
    """Return the numbers from 0 as names of the classes, where a source has no names.

    Raises:
        DataError: a label so large that there would be too many classes.
    """
    if highest >= MAX_CLASSES:
        raise DataError(f"{name} has {highest + 1:,} classes; expected 2 to {MAX_CLASSES:,}.")
    return tuple(str(number) for number in range(highest + 1))


def _match(name: str, found: Sequence[str], names: Sequence[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the output of every class whose name the model knows, and a note on names that agree but for writing."""
    matched: dict[str, int] = {}
    notes: tuple[str, ...] = ()
    for key in (str, str.casefold, _bare):
        left = [one for one in found if one not in matched]
        new = _match_by(key, name, left, names)
        if new and key is not str:
            pairs = [f"{one} as {names[k]}" for one, k in new.items()]
            notes += (f"classes of {name} are the model's by names that are written otherwise: {_list(pairs)}",)
        matched |= new
    _check_once(name, matched, names)
    return matched, notes


def _match_by(key: Callable[[str], str], name: str, found: Sequence[str], names: Sequence[str]) -> dict[str, int]:
    """Return the outputs of classes whose names agree under a key with one name of the model."""
    known: dict[str, list[int]] = defaultdict(list)
    for k, one in enumerate(names):
        known[key(one)].append(k)
    fitting = {one: known[key(one)] for one in found if key(one) in known}
    for one, outputs in fitting.items():
        if len(outputs) > 1:
            which = " and ".join(f"{k} ('{names[k]}')" for k in outputs[:2])
            raise DataError(f"Class '{one}' of {name} could be the model's outputs {which}; expected distinct names.")
    return {one: outputs[0] for one, outputs in fitting.items()}


def _check_once(name: str, matched: Mapping[str, int], names: Sequence[str]) -> None:
    """Refuse two classes of the data that are the same one of the model."""
    first: dict[int, str] = {}
    for one, k in matched.items():
        if k in first:
            raise DataError(f"Classes '{first[k]}' and '{one}' of {name} are both the model's '{names[k]}'.")
        first[k] = one


def _by_place(name: str, ordered: Sequence[str], names: Sequence[str], matched: Mapping[str, int]) -> str:
    """Return the note on as many classes as outputs that are taken by their order.

    Raises:
        DataError: they are not as many, or the names that agree stand at other places.
    """
    strange = [one for one in ordered if one not in matched]
    if len(ordered) != len(names):
        raise MisfitError(_strangers(name, ordered, names, strange))
    if any(ordered[k] != one for one, k in matched.items()):
        raise MisfitError(
            f"the classes are numbered differently, and the model does not name {name}'s {_quoted(strange)}; the "
            f"model's classes are {_list(names)}, the data's {_list(ordered)}; {HOW}"
        )
    first = ordered.index(strange[0]) if strange else 0
    return (
        f"{DIFFER}: they are taken in order, so that {name}'s '{ordered[first]}' is the model's class "
        f"{first}, '{names[first]}'"
    )


def _strangers(name: str, found: Sequence[str], names: Sequence[str], strange: Sequence[str]) -> str:
    """Say that the data have classes that the model does not name."""
    count = f"the model tells {len(names)} classes apart, {name} has {len(found)}"
    return (
        f"{count}, of which the model does not name {_quoted(strange)}; the model's classes are {_list(names)}, the "
        f"data's {_list(found)}; take {_quoted(strange)} out of the data, or {HOW}"
    )


def _other_number(name: str, found: Sequence[str], outputs: int) -> str:
    """Say that the data have more or fewer classes than a model that does not name its own."""
    count = f"the model tells {outputs} classes apart, {name} has {len(found)} ({_list(found)})"
    return f"{count}, and the model does not name its classes; {HOW}"


def _as_they_are(names: Sequence[str], present: Sequence[int], notes: tuple[str, ...] = ()) -> Numbering:
    """Return the numbering of labels that are outputs."""
    return Numbering(tuple(names), {label: label for label in present}, notes)


def _by_digits(name: str, names: Sequence[str], present: Sequence[int]) -> Numbering:
    """Return the numbering of labels that are names of the model's classes, which are numbers."""
    places = {label: names.index(str(label)) for label in present}
    note = f"the labels of {name} are taken for the names of the model's classes, which are numbers too"
    return Numbering(tuple(names), places, () if all(k == label for label, k in places.items()) else (note,))


def _by_rank(name: str, names: Sequence[str], present: Sequence[int], how: str) -> Numbering:
    """Return the numbering of labels by their order."""
    note = f"the labels of {name} run {how}"
    return Numbering(tuple(names), {label: rank for rank, label in enumerate(present)}, (note,))


def _are_numbers(names: Sequence[str]) -> bool:
    """Say whether every name is a number."""
    return all(name.isdecimal() for name in names)


def _bare(name: str) -> str:
    """Return a name without capitals, spaces, underscores and hyphens."""
    return re.sub(r"[\s_\-]+", "", name.casefold())


def _list(names: Sequence[str]) -> str:
    """Return the first of some names."""
    return some_of(list(names), NAMED)


def _quoted(names: Sequence[str]) -> str:
    """Return the first of some names in quotation marks."""
    return some_of([f"'{name}'" for name in names], NAMED)
