"""Methods and attacks from outside: entry points of installed packages, and files that the user names.

A plug-in adds records to a catalogue, without an edit here. An installed package declares an entry point in the group
`zspag.methods` or `zspag.attacks` that is one record or a list of them. A file is named by `--plugin FILE`, or by the
variable ZSPAG_PLUGINS; it holds a list METHODS or ATTACKS. Its code runs, so a file is only ever named by whoever
starts the program, never by a browser.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeVar

from zspag_core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import ModuleType

PLUGINS = "ZSPAG_PLUGINS"
"""Files with plug-ins, parted as the system parts paths."""

METHODS, ATTACKS = GROUPS = ("zspag.methods", "zspag.attacks")
"""The groups of entry points, one for each catalogue."""

Record = TypeVar("Record")
Entry = TypeVar("Entry", bound="_Keyed")
Made = TypeVar("Made")


def use_files(files: Sequence[str]) -> None:
    """Let this process and those that it starts know some plug-in files, beside those of the variable.

    Raises:
        UsageError: there is no such file.
    """
    for file in files:
        if not Path(file).is_file():
            raise UsageError(f"--plugin: expected a Python file, got {file}")
    known = [part for part in os.environ.get(PLUGINS, "").split(os.pathsep) if part]
    whole = [str(Path(file).absolute()) for file in files]
    if whole:
        os.environ[PLUGINS] = os.pathsep.join(dict.fromkeys([*known, *whole]))


def from_outside(group: str, kind: type[Record]) -> list[Record]:
    """Return the records that plug-ins add to a catalogue, installed packages' first.

    Args:
        group: of the entry points; what stands behind its dot, in capitals, is the name of the list in a file.
        kind: of the records.

    Raises:
        UsageError: a plug-in cannot be loaded, or holds something else.
    """
    found: list[Record] = []
    for where, value in _values(group):
        records = value if isinstance(value, list | tuple) else [value]
        for record in records:
            if not isinstance(record, kind):
                raise UsageError(f"plug-in {where}: expected {kind.__name__} records in {group}, got {record!r}")
            found.append(record)
    return found


class _Keyed(Protocol):
    """A record of a catalogue."""

    @property
    def key(self) -> str:
        """Its name in settings and records."""


def by_key(built_in: Sequence[Entry], group: str, what: str) -> Mapping[str, Entry]:
    """Return the records of a catalogue by their keys: those of this project, then those from outside.

    Args:
        built_in: at least one, all of one type.
        group: as in :func:`from_outside`.
        what: what a record is of, for a refusal.

    Raises:
        UsageError: a plug-in cannot be loaded, or takes a key that is taken.
    """
    found: dict[str, Entry] = {}
    for entry in (*built_in, *from_outside(group, type(built_in[0]))):
        if entry.key in found:
            raise UsageError(f"plug-in: there is {what} {entry.key!r} already")
        found[entry.key] = entry
    return MappingProxyType(found)


def load_class(program: str | type, base: type[Made], what: str) -> type[Made]:
    """Return the class that a record's program stands for: itself, or what "module:name" names.

    Raises:
        UsageError: there is no such module or name, or it is no subclass of `base`.
        ModuleNotFoundError: the module is there and needs another one that is not installed.
    """
    found = _resolve(program) if isinstance(program, str) else program
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UsageError(f"{what}: expected a subclass of {base.__name__}, got {found!r}")
    return found


def _resolve(program: str) -> object:
    """Return what "module:name" names; see :func:`load_class` for what is raised."""
    module, _, name = program.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise
        raise UsageError(f"plug-in {program}: expected module:name, {error}") from error
    except AttributeError as error:
        raise UsageError(f"plug-in {program}: expected module:name, {error}") from error


def _values(group: str) -> Iterator[tuple[str, object]]:
    """Yield where each plug-in comes from and what it holds."""
    for point in entry_points(group=group):
        try:
            yield point.value, point.load()
        except (ImportError, AttributeError) as error:
            raise UsageError(f"plug-in {point.value}: {error}") from error
    for file in os.environ.get(PLUGINS, "").split(os.pathsep):
        if file:
            yield Path(file).name, getattr(_load(file), _list_of(group), [])


def _list_of(group: str) -> str:
    """Return what the list of a group is called in a file."""
    return group.rpartition(".")[2].upper()


@cache
def _load(file: str) -> ModuleType:
    """Run a plug-in file, once a process.

    Raises:
        UsageError: it cannot be read, or its code fails.
    """
    name = f"zspag_plugin_{Path(file).stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise UsageError(f"plug-in {file}: expected a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UsageError(f"plug-in {file}: {type(error).__name__}: {error}") from error
    if not any(hasattr(module, _list_of(group)) for group in GROUPS):
        raise UsageError(f"plug-in {file}: expected a list {' or '.join(map(_list_of, GROUPS))}, found neither")
    return module
