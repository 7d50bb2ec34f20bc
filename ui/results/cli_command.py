"""The command line that repeats a finished run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.runs.command_line import unlearn_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def repeat_line(
    config: Mapping[str, Any], result: Mapping[str, Any], parameters: Sequence[Mapping[str, Any]], out: str
) -> str:
    """Return the shell command that makes the same model again.

    Args:
        config: of the job: model, data and classes, and how they are read.
        result: of the run: method, the hyper-parameters used, seed, the device that it ran on, and with how many
            threads (of older ones nobody knows).
        parameters: the schemas of the method's settings; only what differs from their defaults is written.
        out: the new folder.
    """
    used = {name: result[name] for name in ("method", "seed", "device", "threads") if name in result}
    return unlearn_line({**config, **used, "settings": changed_settings(result["config"], parameters)}, out)


def changed_settings(used: Mapping[str, Any], parameters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the settings that differ from their defaults; an empty one cannot be set on a command line."""
    defaults = {about["name"]: about["default"] for about in parameters}
    return {name: value for name, value in used.items() if value is not None and value != defaults.get(name)}
