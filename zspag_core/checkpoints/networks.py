"""Find the network in what a checkpoint holds: which dictionary of tensors, and what stands before every name.

A payload is whatever torch.load returned. An entry is the way to one dictionary of tensors in it ("state_dict",
"model.module"), and below that, where a dictionary holds several networks side by side, the first word of their names
("net"). A reading gives the tensors of one network their names without what wrappers put before them.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from torch import Tensor

from zspag_core.checkpoints.side_by_side import copies_in
from zspag_core.errors import CheckpointError, some_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Route = tuple[str, ...]
Reading = dict[str, str]  # name in the file -> name in the network

USUAL_ENTRIES = (
    *("state_dict", "model_state_dict", "model_state", "model_dict", "model", "net", "net_state_dict", "network"),
    *("weights", "params", "state", "module", "model_weights", "net_state"),
)
WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "_forward_module.")
PARTS = (*WRAPPERS, "network.", "backbone.", "encoder.", "classifier.", "student.", "base_model.", "resnet.", "cnn.")
INSIDE = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
NO_NETWORK = re.compile(r"optim|sched|scaler|callback|loops|rng", re.I)
NO_WEIGHTS = re.compile(
    r"(^|_)(loss|losses|criterion|metrics?|acc|accuracy|auroc|auc|f1|precision|recall|confusion|confmat|ece)(_|\d|$)"
    r"|^(train|val|valid|test)_",
    re.I,
)
COUNTED = ("total_ops", "total_params")  # what the thop profiler leaves in every module
AVERAGED = "n_averaged"  # what torch.optim.swa_utils.AveragedModel leaves beside its module
DEEPEST = 6


def networks(payload: object) -> dict[Route, dict[str, Any]]:
    """Return every dictionary of tensors that may be a network, by the way to it."""
    found = dict(_walk(payload, (), set()))
    if not found and isinstance(payload, dict) and _has_weights(payload):
        return {(): payload}
    return found


def _walk(value: object, route: Route, seen: set[int]) -> Iterator[tuple[Route, dict[str, Any]]]:
    """Go down the dictionaries of a payload, each once, but not into optimizers and counters."""
    if not isinstance(value, dict) or len(route) > DEEPEST or id(value) in seen:
        return
    seen.add(id(value))
    names = all(isinstance(name, str) for name in value)
    if names and _is_network(value):
        yield route, value
        return
    for name, part in value.items():
        if names and not NO_NETWORK.search(name):
            yield from _walk(part, (*route, name), seen)


def _is_network(value: dict[str, Any]) -> bool:
    """Return whether a dictionary holds nothing but tensors, at least one of them with dimensions."""
    tensors = [part for name, part in value.items() if not name.endswith("_extra_state")]
    return all(isinstance(part, Tensor) for part in tensors) and any(part.ndim > 0 for part in tensors)


def _has_weights(value: dict[Any, Any]) -> bool:
    """Return whether a dictionary holds the tensor of a layer among other things."""
    return any(isinstance(name, str) and isinstance(part, Tensor) and part.ndim > 1 for name, part in value.items())


def chosen(found: Mapping[Route, dict[str, Any]], entry: str | None) -> tuple[Route, str | None]:
    """Choose one of the networks of a payload.

    Args:
        found: the networks by the way to them; at least one.
        entry: what the caller names, None for nothing.

    Returns:
        The way to the network, and what of `entry` is left to be found below it.

    Raises:
        CheckpointError: there are several, and none has the usual name; or `entry` is not among them.
    """
    routes = list(found)
    if entry is not None:
        return _named(routes, entry)
    usual = _usual(routes)
    if len(routes) == 1 or len(usual) == 1:
        return (usual or routes)[0], None
    raise CheckpointError(several([".".join(route) for route in routes]))


def _usual(routes: list[Route]) -> list[Route]:
    """Return the ways to networks that have the usual names."""
    return [route for route in routes if all(name in USUAL_ENTRIES for name in route)]


def _named(routes: list[Route], entry: str) -> tuple[Route, str | None]:
    """Return the network whose way is the beginning of a name, or the only one, with the rest of the name."""
    for route in sorted(routes, key=len, reverse=True):
        way = ".".join(route)
        if way and (entry == way or entry.startswith(f"{way}.")):
            return route, entry[len(way) + 1 :] or None
    if len(routes) == 1:
        return routes[0], entry
    if len(usual := _usual(routes)) == 1:
        return usual[0], entry
    raise CheckpointError(f"holds no network called {entry!r}; it holds {some_of(['.'.join(r) for r in routes], 6)}")


def several(names: list[str]) -> str:
    """Ask which of several networks is meant."""
    return (
        f"holds several networks: {some_of(names, 6)}; say which one is meant with the option entry, for example "
        f"--entry {names[0]}"
    )


def readings(names: Mapping[str, Tensor], entry: str | None) -> tuple[list[Reading], list[str]]:
    """Return how the tensors of one dictionary may be called in the network: the likeliest first, then the others.

    Args:
        names: the tensors of the dictionary by their names in the file.
        entry: words before the network's names where several stand side by side, None for nothing.

    Returns:
        The readings, and notes on what the first one leaves aside.

    Raises:
        CheckpointError: several networks of equal shapes stand side by side, or none begins with `entry`.
    """
    whole, notes = _without_bookkeeping(names)
    if entry is not None:
        asked = _asked(whole, entry)
        return _stripped(asked), [*notes, *_left_aside(whole, asked)]
    if twins := copies_in(shapes_of(names), lambda word: NO_WEIGHTS.search(word) is not None):
        if twins[0]:
            raise CheckpointError(several(twins))
        alone = without(whole, twins[1:])
        return _stripped(alone), [*notes, *beside(twins[1:])]
    bare = _stripped(whole)
    likeliest = bare[0]
    part = _main_part(names, likeliest)
    others = [_stripped(_below(likeliest, f"{first}."))[0] for first in _usual_parts(names, likeliest)]
    if part is None:
        return _unique([*bare, *others]), notes
    return _unique([*_stripped(part), *bare, *others]), [*notes, *_left_aside(likeliest, part)]


def _asked(whole: Reading, entry: str) -> Reading:
    """Return the tensors whose names begin with an entry, behind wrappers' words or not.

    Raises:
        CheckpointError: there are none.
    """
    for reading in (whole, *_stripped(whole)):
        if asked := _below(reading, f"{entry}."):
            return asked
    raise CheckpointError(f"no tensor's name begins with {f'{entry}.'!r}; they begin with {_firsts(whole)}")


def without(reading: Reading, prefixes: list[str]) -> Reading:
    """Return the tensors whose names begin with none of several words."""
    return {
        name: short for name, short in reading.items() if not any(short.startswith(f"{word}.") for word in prefixes)
    }


def left_aside(words: list[str]) -> list[str]:
    """Say what stands beside the network, nothing where nothing does."""
    return [f"beside the network, and left aside: {some_of(words, 6)}"] if words else []


def beside(others: list[str]) -> list[str]:
    """Say which networks stand beside one whose tensors have no word before their names."""
    return [f"beside the network, and left aside: {some_of(others, 6)}, had with --entry {others[0]}"]


def below(names: Mapping[str, Tensor], prefix: str, others: list[str]) -> Reading:
    """Return the tensors of a dictionary below a prefix of their names, "" for all, but those below others."""
    whole = plain_names(names)
    part = _below(whole, f"{prefix}.") if prefix else whole
    longer = [other[len(prefix) + 1 if prefix else 0 :] for other in others if _is_longer(other, prefix)]
    return without(part, longer)


def _is_longer(other: str, prefix: str) -> bool:
    """Tell whether a prefix goes on where another ends."""
    return other != prefix and (not prefix or other.startswith(f"{prefix}."))


def shapes_of(names: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a dictionary's tensors by their names without wrappers' words in the middle of them."""
    return {short: tuple(names[name].shape) for name, short in plain_names(names).items()}


def plain_names(names: Mapping[str, Tensor]) -> Reading:
    """Return a dictionary's tensors without counters, and their names without wrappers' words in the middle."""
    return _without_bookkeeping(names)[0]


def _without_bookkeeping(names: Mapping[str, Tensor]) -> tuple[Reading, list[str]]:
    """Leave aside counters that belong to no layer, and words that wrappers put into the middle of names."""
    aside = [name for name, tensor in names.items() if _is_counter(name, tensor)]
    kept = {name: _cleaned(name) for name in names if name not in set(aside)}
    if len(set(kept.values())) < len(kept):
        kept = {name: name for name in kept}
    return kept, [f"left aside, because they belong to no layer: {some_of(aside, 3)}"] if aside else []


def _is_counter(name: str, tensor: Tensor) -> bool:
    """Return whether a tensor counts steps (SWA's n_averaged) or operations (thop's total_ops)."""
    last = name.rpartition(".")[2]
    single = tensor.ndim == 0 and ("." not in name or last == AVERAGED)
    return single or (last in COUNTED and tensor.numel() == 1)


def _cleaned(name: str) -> str:
    """Drop what torch.compile, FSDP and checkpointing put into the middle of a name."""
    head, dot, rest = name.partition(".")
    for word in INSIDE:
        rest = rest.replace(word, "")
    return head + dot + rest


def _below(reading: Reading, prefix: str) -> Reading:
    """Return the tensors whose names begin with a prefix, without it."""
    return {name: short[len(prefix) :] for name, short in reading.items() if short.startswith(prefix)}


def _stripped(reading: Reading) -> list[Reading]:
    """Return a reading without wrappers' prefixes, then without any prefix that all names share, then with them."""
    known = [reading]
    while prefix := next((word for word in WRAPPERS if _all_begin(known[-1], word)), ""):
        known.append(_below(known[-1], prefix))
    deeper = [known[-1]]
    while prefix := _shared_word(deeper[-1]):
        deeper.append(_below(deeper[-1], prefix))
    inner = {name: short.replace(".module.", ".") for name, short in known[-1].items()}
    return _unique([known[-1], *deeper[1:], *reversed(known[:-1]), inner])


def _shared_word(reading: Reading) -> str:
    """Return the first word, with its dot, that all names share; nothing where they differ."""
    first = f"{next(iter(reading.values()), '').partition('.')[0]}."
    return first if _all_begin(reading, first) else ""


def _all_begin(reading: Reading, prefix: str) -> bool:
    """Return whether every name begins with a prefix."""
    return bool(reading) and all(short.startswith(prefix) for short in reading.values())


def _unique(readings: list[Reading]) -> list[Reading]:
    """Drop repetitions, and readings in which two tensors have one name."""
    kept: list[Reading] = []
    for reading in readings:
        if reading not in kept and len(set(reading.values())) == len(reading):
            kept.append(reading)
    return kept


def _parts(tensors: Mapping[str, Tensor], reading: Reading) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return the shapes below each first word of the names."""
    parts: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, short in reading.items():
        first, _, rest = short.partition(".")
        parts.setdefault(first, {})[rest] = tuple(tensors[name].shape)
    return parts


def copies(tensors: Mapping[str, Tensor], taken: Reading) -> dict[str, str]:
    """Return the names of tensors beside the taken ones that belong to a copy of the network (its average, say).

    Returns:
        Name in the file -> name in the network, of every tensor of a prefix under which all taken names with equal
        shapes stand.
    """
    wanted = {short: tuple(tensors[name].shape) for name, short in taken.items()}
    last = next(iter(wanted), "")
    there = {_cleaned(name): name for name in tensors if name not in taken}
    prefixes = [name[: -len(last)] for name in there if name == last or name.endswith(f".{last}")]
    found: dict[str, str] = {}
    for prefix in prefixes:
        names = {short: there.get(f"{prefix}{short}", "") for short in wanted}
        if all(name and tuple(tensors[name].shape) == wanted[short] for short, name in names.items()):
            found |= {name: short for short, name in names.items()}
    return found


def _main_part(tensors: Mapping[str, Tensor], reading: Reading) -> Reading | None:
    """Return the part behind a wrapper's usual prefix where all else belongs to losses and counters."""
    firsts = _parts(tensors, reading)
    main = [first for first in firsts if f"{first}." in PARTS]
    rest = [first for first in firsts if first not in main and not NO_WEIGHTS.search(first)]
    return _below(reading, f"{main[0]}.") if len(main) == 1 and len(firsts) > 1 and not rest else None


def _usual_parts(tensors: Mapping[str, Tensor], reading: Reading) -> list[str]:
    """Return the first words that wrapping classes use and behind which more than half of all values lie."""
    sizes: Counter[str] = Counter()
    for name, short in reading.items():
        sizes[short.partition(".")[0]] += tensors[name].numel()
    return [first for first in sizes if f"{first}." in PARTS and 1 < 2 * sizes[first] / sizes.total() < 2]


def _left_aside(whole: Reading, part: Reading) -> list[str]:
    """Say which tensors a part leaves aside."""
    return left_aside(sorted({short.partition(".")[0] for name, short in whole.items() if name not in part}))


def _firsts(reading: Reading) -> str:
    """Name the first words of the names."""
    return some_of(sorted({short.partition(".")[0] for short in reading.values()}), 6)
