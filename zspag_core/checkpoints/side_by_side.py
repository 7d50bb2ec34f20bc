"""Networks that stand side by side in one dictionary of tensors: a network, its average, a teacher, a copy.

Wrappers put words before every name (`net._orig_mod.`, `ema.module.`), in any order and any number. So nothing here
asks for certain words: networks are told by the names and shapes below a prefix.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Shape = tuple[int, ...]
Shapes = dict[str, Shape]

MOST_COPIES = 4
LAYERS = 3
"""Different shapes of weights from which on equal parts are networks rather than blocks of one."""
MOST_OF = 0.8
"""Share of a network's tensors that must stand below a prefix; head, stem and position tables may be others."""
LARGE = 0.2
"""Share of all values from which on a part of a dictionary may be a network."""


def copies_in(shapes: Shapes, is_aside: Callable[[str], bool]) -> list[str]:
    """Return the prefixes of networks of equal names and shapes that make up everything but what is set aside.

    Layers of equal shape side by side (block1, block2; fc1, fc2) are parts of one network, and are not meant.

    Args:
        shapes: of all tensors, by name.
        is_aside: tells of the first word of a name, behind what the prefixes share, whether it is a loss or a measure.

    Returns:
        Words before the names, without the last dot, in the order of the file; "" for a network without any, whose
        copies stand below the others; an empty list where there is one network, or none.
    """
    for prefixes in equal_parts(shapes):
        rest = {name: shape for name, shape in shapes.items() if not _is_below(name, prefixes)}
        if rest and _core(rest)[1] == _core(_below(shapes, prefixes[0]))[1]:
            return ["", *prefixes]
        if len(prefixes) > 1 and all(is_aside(_first_word(name, prefixes)) for name, shape in rest.items() if shape):
            return prefixes
    return []


def equal_parts(shapes: Shapes) -> list[list[str]]:
    """Return the prefixes below which the same names and shapes stand, those with most tensors first.

    A part that has no equal is there, too: the whole may be equal to it. Numbered parts (block1, block2) are not.
    """
    groups: dict[frozenset[tuple[str, Shape]], list[str]] = {}
    for prefix, _, core in _parts(shapes):
        groups.setdefault(frozenset(core.items()), []).append(prefix)
    large = [form for form in groups if len({shape for _, shape in form if len(shape) > 1}) >= LAYERS]
    chosen = sorted(large, key=lambda form: -len(form) * len(groups[form]))
    return [groups[form] for form in chosen if len(groups[form]) <= MOST_COPIES and not _numbered(groups[form])]


def hosts(shapes: Shapes, expected: Mapping[str, Shape | None]) -> list[str]:
    """Return the prefixes below which most tensors of a known network stand.

    Args:
        shapes: of all tensors, by name.
        expected: of the network; None where any shape will do.

    Returns:
        Words before the names, without the last dot, in the order of the file; "" for none.
    """
    counts: Counter[str] = Counter()
    for name, shape in shapes.items():
        for prefix, short in _cuts(name):
            if short in expected and expected[short] in {None, shape}:
                counts[prefix] += 1
    return [prefix for prefix, count in counts.items() if count >= MOST_OF * len(expected)]


def large_parts(shapes: Shapes) -> list[str]:
    """Return the prefixes, without the last dot, below which a good part of all values lies, the largest first.

    Of prefixes below which the same stands it is the longest: names begin with no word that all of them share.
    """
    prefixes = [_core(shapes)[0].removesuffix("."), *(longest for _, longest, _ in _parts(shapes))]
    sizes = {prefix: _values(_below(shapes, prefix).values()) for prefix in filter(None, prefixes)}
    least = LARGE * _values(shapes.values())
    return sorted((prefix for prefix, size in sizes.items() if size >= least), key=lambda prefix: -sizes[prefix])


def _parts(shapes: Shapes, before: str = "") -> Iterator[tuple[str, str, Shapes]]:
    """Go through the parts of a dictionary: the shortest and the longest prefix of each, and what stands below it."""
    shared, core = _core(shapes)
    firsts = dict.fromkeys(name.partition(".")[0] for name in core if "." in name)
    for first in firsts:
        part = _below(core, first)
        if len(part) >= LAYERS:
            prefix, (inner, below) = f"{before}{shared}{first}", _core(part)
            yield prefix, f"{prefix}.{inner}"[:-1] if inner else prefix, below
            yield from _parts(part, f"{prefix}.")


def _core(shapes: Shapes) -> tuple[str, Shapes]:
    """Return the words, with their dots, that all names but counters share, and what stands after them."""
    core, shared = _without_counters(shapes), ""
    while len(firsts := {name.partition(".")[0] for name in core}) == 1 and all("." in name for name in core):
        shared += f"{firsts.pop()}."
        core = _without_counters({name.partition(".")[2]: shape for name, shape in core.items()})
    return shared, core


def _without_counters(shapes: Shapes) -> Shapes:
    """Leave out single values that belong to no layer."""
    return {name: shape for name, shape in shapes.items() if shape or "." in name}


def _below(shapes: Shapes, prefix: str) -> Shapes:
    """Return what stands below a prefix, without it."""
    return {name[len(prefix) + 1 :]: shape for name, shape in shapes.items() if name.startswith(f"{prefix}.")}


def _is_below(name: str, prefixes: Iterable[str]) -> bool:
    """Tell whether a name begins with one of several prefixes."""
    return any(name.startswith(f"{prefix}.") for prefix in prefixes)


def _first_word(name: str, prefixes: list[str]) -> str:
    """Return the first word of a name behind the words that several prefixes share with it."""
    words = name.split(".")
    for place, word in enumerate(words[:-1]):
        if {prefix.split(".")[place : place + 1] == [word] for prefix in prefixes} != {True}:
            return word
    return words[-1]


def _numbered(prefixes: list[str]) -> bool:
    """Tell whether prefixes differ by a number alone."""
    plain = [re.sub(r"\d+", "", prefix) for prefix in prefixes]
    return len(set(plain)) < len(plain)


def _cuts(name: str) -> Iterator[tuple[str, str]]:
    """Return a name whole, then cut at each of its dots, from the left: (before, after)."""
    yield "", name
    words = name.split(".")
    for count in range(1, len(words)):
        yield ".".join(words[:count]), ".".join(words[count:])


def _values(shapes: Iterable[Shape]) -> int:
    """Return the number of values of several tensors."""
    return sum(map(math.prod, shapes))
