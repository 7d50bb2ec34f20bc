"""Open the dashboard in this machine's browser.

It is served at http://localhost:8501 to this machine only, until Ctrl-C. Runs, queue and uploads are kept under
~/.zspag, or in the folder that ZSPAG_HOME names. With --share a class joins from its own machines by a code.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from zspag_core.commands import sharing
from zspag_core.errors import UsageError
from zspag_core.shipped import ROOT
from zspag_core.visitors.classroom import SHARED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

HIGHEST_PORT = 65535
FOLDER, FOLDERS = ("ZSPAG_HOME", "ZSPAG_DATA"), "ZSPAG_ROOTS"
"""Variables that name a folder each, and one that names several; relative ones as seen from here."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `app`."""
    parser.add_argument("--port", default="", metavar="N", help="where to serve it (8501, else the next free one)")
    sharing.add_arguments(parser)


def run(arguments: argparse.Namespace) -> NoReturn:
    """Start Streamlit in the program's folder, where its settings are, and stay until it ends."""
    if importlib.util.find_spec("streamlit") is None:
        raise ModuleNotFoundError("No module named 'streamlit'", name="streamlit")
    port, environment = _checked_port(arguments.port), _whole_paths(os.environ)
    if not arguments.share:
        sharing.check_alone(arguments)
        _become(serving(port), {name: value for name, value in environment.items() if name != SHARED})
    os.environ.update(environment)  # the classroom is kept in the same home
    options, more, welcome = sharing.share(arguments, port)
    sys.stdout.write(f"{welcome}\n")
    _become([*streamlit_command("class_app.py"), *options], environment | more)


def serving(port: int | None) -> list[str]:
    """Return the command that serves the dashboard to one person."""
    command = streamlit_command("app.py")
    return command if port is None else [*command, "--server.port", str(port)]


def streamlit_command(script: str) -> list[str]:
    """Return the command that serves a script; modules that lie in the current folder are left aside (-P)."""
    return [sys.executable, "-P", "-m", "streamlit", "run", str(ROOT / script)]


def _checked_port(text: str) -> int | None:
    """Read a port, None where none is asked for.

    Raises:
        UsageError: it is none.
    """
    if not text:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= HIGHEST_PORT:
        raise UsageError(f"--port: expected a whole number from 1 to {HIGHEST_PORT}, got {text!r}")
    return int(text)


def _whole_paths(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variables in which folders have their whole paths: the dashboard and its workers run in another folder."""
    whole = {name: _whole(environment[name]) for name in FOLDER if environment.get(name)}
    if given := environment.get(FOLDERS):
        whole[FOLDERS] = os.pathsep.join(_whole(part.strip()) for part in given.split(os.pathsep) if part.strip())
    return {**environment, **whole}


def _whole(folder: str) -> str:
    """Return a folder's path from the root of the disk on."""
    return str(Path(folder).expanduser().absolute())


def _become(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Put a command in this process's place, so that signals reach it; on Windows, wait for it."""
    if sys.platform == "win32":
        sys.exit(subprocess.call(command, cwd=ROOT, env=environment))  # noqa: S603 - our own command
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execve(command[0], command, environment)  # noqa: S606 - our own command
