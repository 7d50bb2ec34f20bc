"""What `zspag app --share` settles before the dashboard starts: the address for the class, codes, limits."""

from __future__ import annotations

import contextlib
import socket
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zspag_core.errors import UsageError
from zspag_core.visitors.classroom import SHARED, Classroom, Limits, open_classroom

if TYPE_CHECKING:
    import argparse

USUAL_PORT, PORTS_TRIED = 8501, 50
EVERYWHERE, HERE = "0.0.0.0", "127.0.0.1"  # noqa: S104 - sharing is what was asked for
ONLY_SHARED = ("behind", "host", "new_codes", "login", "teacher", "waiting", "disk_mb", "upload_mb", "budget_gb")
TOLD = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
CALLBACK = "/oauth2callback"
"""What Streamlit's login must be told, and where on this server a provider sends people back to."""
LIMITS = {
    "waiting": "runs that may wait, for each visitor",
    "disk_mb": "MB that a visitor's runs, models and uploads may take",
    "upload_mb": "MB that a visitor may upload an hour",
    "budget_gb": "GB that all runs together may take before the oldest are cleared away, announced; 0: no end",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of sharing."""
    parser.add_argument(
        "--share", action="store_true", help="serve a class: to other machines, a join code, everybody's own runs"
    )
    parser.add_argument("--behind", metavar="URL", help="the https:// address of a proxy here (docs/class.md)")
    parser.add_argument("--host", action="append", metavar="NAME", help="a further name of this machine, may repeat")
    parser.add_argument("--new-codes", action="store_true", help="other codes than last time; who joined stays")
    parser.add_argument("--login", action="store_true", help="visitors log in by OpenID Connect instead of a join code")
    parser.add_argument("--teacher", action="append", metavar="EMAIL", help="with --login: a teacher, may repeat")
    for name, words in LIMITS.items():
        usual = getattr(Limits, name)
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="N", help=f"{words} ({usual})")


def check_alone(arguments: argparse.Namespace) -> None:
    """Refuse options of sharing where nothing is shared.

    Raises:
        UsageError: one is there.
    """
    for name in ONLY_SHARED:
        if getattr(arguments, name):
            raise UsageError(f"--{name.replace('_', '-')}: expected together with --share, got it alone")


def share(arguments: argparse.Namespace, port: int | None) -> tuple[list[str], dict[str, str], str]:
    """Prepare a shared dashboard.

    Args:
        arguments: of the command line.
        port: asked for, None for the usual or next free one.

    Returns:
        Options for Streamlit, variables for its process, and what the teacher is told.

    Raises:
        UsageError: an option is not what it should be.
    """
    behind = _proxy(arguments.behind) if arguments.behind else ""
    names = _names(behind, arguments.host or [])
    _check_login(arguments, names)
    settings = Classroom(
        limits=Limits(**{name: _number(arguments, name) for name in LIMITS}),
        secure=bool(behind),
        login=bool(arguments.login),
        teachers=tuple(email.strip().lower() for email in arguments.teacher or []),
        hosts=tuple(names),
    )
    port = port or _free_port(HERE if behind else EVERYWHERE)
    classroom = open_classroom(settings, anew=arguments.new_codes)
    options = ["--server.port", str(port), "--server.address", HERE if behind else EVERYWHERE]
    options += [part for name in names for part in ("--server.allowedHosts", name)]
    options += ["--browser.serverAddress", names[0], "--logger.hideWelcomeMessage", "true"]  # else it asks the internet
    return options, {SHARED: "1"}, _welcome(classroom, behind or f"http://{names[0]}:{port}", port)


def _welcome(classroom: Classroom, address: str, port: int) -> str:
    """Return what the teacher reads in the terminal."""
    lines = [f"For the class      {address}"]
    if classroom.login:
        lines += ["They log in        as .streamlit/secrets.toml says"]
    else:
        lines += [f"Join code          {_spaced(classroom.join)}", f"Teacher's code     {_spaced(classroom.teacher)}"]
    if classroom.secure:
        lines += [f"The proxy passes on to http://{HERE}:{port}"]
    else:
        lines += ["Without HTTPS whoever listens on this network can read along: docs/class.md, Behind a proxy."]
    return "\n".join(lines)


def _spaced(code: str) -> str:
    """Return a code in groups of three, as people read it out."""
    return " ".join(code[start : start + 3] for start in range(0, len(code), 3))


def _proxy(url: str) -> str:
    """Return the address of a proxy.

    Raises:
        UsageError: it is no https:// address of a server.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query:
        raise UsageError(f"--behind: expected an address such as https://class.example.org, got {url!r}")
    return f"https://{parts.netloc}"


def _names(behind: str, more: list[str]) -> list[str]:
    """Return the names by which browsers may call the server, the one for the class first."""
    if behind:
        found = [urlsplit(behind).hostname or "", *more]
    else:
        own = socket.gethostname().lower()
        found = [*more, _own_address(), own, f"{own.partition('.')[0]}.local", "localhost", HERE]
    for name in found:
        if urlsplit(f"//{name}").hostname != name.lower():
            raise UsageError(f"--host: expected the name of a machine, without http:// and port, got {name!r}")
    return list(dict.fromkeys(name.lower() for name in found))


def _own_address() -> str:
    """Return this machine's address in its network; nothing is sent to find out."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("10.255.255.255", 1))
        return str(probe.getsockname()[0])
    return HERE


def _free_port(address: str) -> int:
    """Return the usual port, else the next that is free.

    Raises:
        UsageError: none is.
    """
    for port in range(USUAL_PORT, USUAL_PORT + PORTS_TRIED):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            return port
    raise UsageError(f"--port: expected a free one from {USUAL_PORT} on, got none in {PORTS_TRIED}; name another")


def _number(arguments: argparse.Namespace, name: str) -> int:
    """Return a limit, the usual one where none was given."""
    text = getattr(arguments, name)
    if text is None:
        return int(getattr(Limits, name))
    least = 0 if name == "budget_gb" else 1
    if not text.isdecimal() or int(text) < least:
        raise UsageError(f"--{name.replace('_', '-')}: expected a whole number from {least} on, got {text!r}")
    return int(text)


def _check_login(arguments: argparse.Namespace, names: list[str]) -> None:
    """Refuse a login that cannot work.

    Args:
        arguments: of the command line.
        names: by which browsers may call the server.

    Raises:
        UsageError: it says what is missing.
    """
    import importlib.util

    if arguments.teacher and not arguments.login:
        raise UsageError("--teacher: expected together with --login; without it a teacher tells the teacher's code")
    if not arguments.login:
        return
    if importlib.util.find_spec("authlib") is None:
        raise UsageError("--login: needs Authlib: pip install authlib")
    path, told = _secrets()
    if missing := [name for name in TOLD if not isinstance(told.get(name), str)]:
        raise UsageError(f"--login: expected {', '.join(missing)} in [auth] of {path} (docs/class.md)")
    back = urlsplit(told["redirect_uri"])
    if back.hostname not in names or back.path != CALLBACK:
        expected = f"{CALLBACK} at {' or '.join(names)}, by which browsers call this dashboard"
        raise UsageError(f"--login: redirect_uri in {path}: expected {expected}, got {told['redirect_uri']!r}")


def _secrets() -> tuple[Path, dict[str, Any]]:
    """Return the file that says how to log in, the last of those that Streamlit reads, and its part [auth].

    Raises:
        UsageError: it cannot be read.
    """
    from zspag_core.shipped import ROOT

    places = [folder / ".streamlit" / "secrets.toml" for folder in (ROOT, Path.home())]
    path = next((place for place in places if place.exists()), places[-1])
    try:
        told = tomllib.loads(path.read_text("utf-8")).get("auth", {}) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise UsageError(f"--login: {path} cannot be read: {error}") from None
    return path, told if isinstance(told, dict) else {}
