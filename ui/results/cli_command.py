"""The command line that repeats a run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.shipped import CHECKPOINTS, ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def repeat_line(
    config: Mapping[str, Any], result: Mapping[str, Any], parameters: Sequence[Mapping[str, Any]], out: str
) -> str:
    """Return the shell command that makes the same model again.

    Args:
        config: of the job: data, checkpoint, forget.
        result: of the run: method, the hyper-parameters used, seed and the device that it ran on.
        parameters: the schemas of the method's settings; only what differs from their defaults is written.
        out: the new folder.
    """
    words = ["python", "-m", "zspag_core", "unlearn", "--data", _place(str(config["data"]))]
    words += ["--checkpoint", _place(str(config["checkpoint"]))]
    words += ["--forget", ",".join(map(str, sorted(result["forget"])))]
    if config.get("hold_out"):
        words += ["--hold-out", f"{config['hold_out']:g}"]
    if result["method"] != "zspag":
        words += ["--method", result["method"]]
    for name, value in changed_settings(result["config"], parameters).items():
        words += ["--set", f"{name}={written(value)}"]
    if config.get("relearning") is not None:
        words.append("--relearning" if config["relearning"] else "--no-relearning")
    if result["seed"]:
        words += ["--seed", str(result["seed"])]
    return shlex.join([*words, "--device", str(result["device"]), "--out", out])


def changed_settings(used: Mapping[str, Any], parameters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the settings that differ from their defaults; an empty one cannot be set on a command line."""
    defaults = {about["name"]: about["default"] for about in parameters}
    return {name: value for name, value in used.items() if value is not None and value != defaults.get(name)}


def written(value: object) -> str:
    """Write a setting so that --set reads the very same value back."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _place(name: str) -> str:
    """Return a shipped model's name, a path inside the program's folder as seen from there; anything else as it is."""
    path = Path(name)
    if path.parent == CHECKPOINTS:
        return path.stem
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else name
