"""A run as the line that makes it again: for Results, for sweeps, and for whoever prints a run; without torch."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.shipped import CHECKPOINTS, ROOT
from zspag_core.threads import usable_cores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROGRAM = ("python", "-m", "zspag_core")
CLASSES_FILE = "classes_file"
"""What a job remembers beside its configuration: the file that --classes named."""
QUOTED = '",'
"""Letters for which a name stands in double quotation marks in a list."""


def unlearn_line(config: Mapping[str, Any], out: str) -> str:
    """Return the shell command that makes a run again, from any folder where its paths hold.

    Args:
        config: of a run, as :meth:`zspag_core.runs.config.RunConfig.to_dict` gives it; what is left out is at its
            default. What a job remembers beside it is used where it is there: "class_names", those of the classes to
            forget in their order, "classes_file", the file that --classes named, and "threads", with how many the run
            was computed: said where this machine would take another number by itself, which rounds otherwise.
        out: the new folder.
    """
    words = [*PROGRAM, *_threads(config), "unlearn", "--data", place(str(config["data"]))]
    words += ["--checkpoint", place(str(config["checkpoint"]))]
    words += ["--model", str(config["model"])] if config.get("model") else []
    words += _reading(config.get("reading") or {})
    words += ["--order", str(config["order"])] if config.get("order") else []
    words += ["--forget", forgotten(config["forget"], config.get("class_names") or ())]
    words += _how(config)
    names = _names_option(config)
    return " ".join(part for part in (shlex.join(words), names, shlex.join(["--out", out])) if part)


def forgotten(classes: Sequence[int | str], names: Sequence[object]) -> str:
    """Return the classes to forget as they are typed: by name where names are known, in the order of their numbers.

    A name of digits that is not the class's own number is written name:1, for it could mean another class; one with a
    dash in front likewise, for it could mean an option.
    """
    known = zip(classes, [*map(str, names), *[None] * len(classes)], strict=False)
    return ",".join(_class_word(k, name) for k, name in sorted(known, key=_number_first))


def written(value: object) -> str:
    """Write a setting so that --set reads the very same value back."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def place(name: str) -> str:
    """Return a shipped model's name, a path inside the program's folder as seen from there; anything else as it is."""
    path = Path(name)
    if path.parent == CHECKPOINTS:
        return path.stem
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else name


def _threads(config: Mapping[str, Any]) -> list[str]:
    """Return the number of threads as an option, where it is not what this machine takes by itself."""
    number = config.get("threads") or usable_cores()
    return [] if number == usable_cores() else ["--threads", str(number)]


def _number_first(pair: tuple[int | str, str | None]) -> tuple[bool, int, str]:
    asked = pair[0]
    return isinstance(asked, str), asked if isinstance(asked, int) else 0, str(asked)


def _class_word(asked: int | str, name: str | None) -> str:
    """Return one class as it is typed in a list."""
    if isinstance(asked, str):  # as somebody typed it
        return _quoted(asked)
    if name is None or name == str(asked):
        return str(asked)
    if not name or name != name.strip() or "\n" in name:
        return f"index:{asked}"
    return _quoted(f"name:{name}" if name.isdecimal() or name.startswith("-") else name)


def _quoted(name: str) -> str:
    """Return a name as it stands in a list with commas."""
    return '"' + name.replace('"', '""') + '"' if set(QUOTED) & set(name) else name


def _reading(reading: Mapping[str, Any]) -> list[str]:
    """Return what a file of weights does not show, as options."""
    words: list[str] = []
    for name, value in reading.items():
        given = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        words += [f"--{name.replace('_', '-')}", given]
    return words


def _how(config: Mapping[str, Any]) -> list[str]:
    """Return what is asked of the run itself, as options; defaults are left out."""
    words = ["--hold-out", f"{config['hold_out']:g}"] if config.get("hold_out") else []
    words += ["--method", str(config["method"])] if config.get("method", "zspag") != "zspag" else []
    for name, value in (config.get("settings") or {}).items():
        words += ["--set", f"{name}={written(value)}"]
    if config.get("relearning") is not None:
        words.append("--relearning" if config["relearning"] else "--no-relearning")
    words += ["--seed", str(config["seed"])] if config.get("seed") else []
    return [*words, "--device", str(config["device"])] if config.get("device", "auto") != "auto" else words


def _names_option(config: Mapping[str, Any]) -> str:
    """Return --classes, where the names of the outputs were told: their file, else their list for bash and zsh."""
    names = config.get("model_classes")
    if not names:
        return ""
    if config.get(CLASSES_FILE):
        return shlex.join(["--classes", str(config[CLASSES_FILE])])
    return f"--classes <(printf '%s\\n' {shlex.join(map(str, names))})"
