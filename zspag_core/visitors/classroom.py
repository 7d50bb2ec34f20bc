"""What a shared dashboard holds to: codes, secret, each visitor's limits; in a file that only its user reads."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING

from zspag_core.errors import UsageError
from zspag_core.files import home, read_json, replace_file

if TYPE_CHECKING:
    from pathlib import Path

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""What codes are made of: nothing that looks like something else on a blackboard."""
JOIN_LETTERS, TEACHER_LETTERS, SECRET_LETTERS = 6, 12, 64
SHARED = "ZSPAG_SHARE"
"""The variable that says to the dashboard's process that several people use it."""


@dataclass(frozen=True)
class Limits:
    """What each visitor may have.

    Attributes:
        waiting: runs that wait.
        disk_mb: runs, models and uploads together.
        upload_mb: uploads within an hour.
        budget_gb: runs of everybody together; beyond it the oldest that nobody pinned are cleared away. 0: no end.
    """

    waiting: int = 12
    disk_mb: int = 2_000
    upload_mb: int = 600
    budget_gb: int = 20


@dataclass(frozen=True)
class Classroom:
    """What a shared dashboard holds to.

    Attributes:
        secret: what passes are signed with; whoever has it can be anybody.
        join: the code of visitors.
        teacher: the code of teachers.
        limits: what each visitor may have.
        secure: whether browsers come by HTTPS, through a proxy, and must never show their pass without it.
        login: whether visitors log in (OpenID Connect, `st.login`) instead of telling a code.
        teachers: e-mail addresses of those who are teachers where visitors log in.
        hosts: the names by which browsers may call this server.
    """

    secret: str = ""
    join: str = ""
    teacher: str = ""
    limits: Limits = field(default_factory=Limits)
    secure: bool = False
    login: bool = False
    teachers: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


def is_shared() -> bool:
    """Tell whether several people use this dashboard, each with their own runs."""
    return os.environ.get(SHARED, "") == "1"


def classroom_file() -> Path:
    """Return the file."""
    return home() / "class.json"


def new_code(letters: int) -> str:
    """Return a code that nobody guesses."""
    return "".join(secrets.choice(LETTERS) for _ in range(letters))


def plain_code(text: str) -> str:
    """Return a code as it is compared: in capitals, without spaces and dashes."""
    return "".join(letter for letter in text.upper() if letter.isalnum())


def read_classroom() -> Classroom:
    """Return what this dashboard holds to.

    Raises:
        UsageError: there is no such file, or it cannot be read.
    """
    try:
        found = read_json(classroom_file())
        if len(str(found["secret"])) < SECRET_LETTERS:
            raise ValueError("no secret")
        limits = Limits(**{part.name: int(found["limits"][part.name]) for part in fields(Limits)})
        texts = {name: str(found[name]) for name in ("secret", "join", "teacher")}
        return Classroom(
            **texts,
            limits=limits,
            secure=bool(found["secure"]),
            login=bool(found["login"]),
            teachers=tuple(map(str, found["teachers"])),
            hosts=tuple(map(str, found["hosts"])),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"share: {classroom_file()} cannot be read ({type(error).__name__}); start with: zspag app --share"
        ) from error


def write_classroom(classroom: Classroom) -> None:
    """Keep it, readable by nobody but the user who serves."""
    path = classroom_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as partial:
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(asdict(classroom), indent=1) + "\n", encoding="utf-8")


def open_classroom(settings: Classroom, *, anew: bool = False) -> Classroom:
    """Return the classroom of this home with some settings, and keep it.

    Codes and secret stay as they were from day to day, so that nobody joins twice; `anew` makes new codes, and those
    who have joined stay joined.

    Args:
        settings: everything but codes and secret, which are passed over.
        anew: whether the codes change.
    """
    try:
        before = read_classroom()
    except UsageError:
        before, anew = replace(settings, secret=secrets.token_hex(SECRET_LETTERS // 2)), True
    join, teacher = (new_code(JOIN_LETTERS), new_code(TEACHER_LETTERS)) if anew else (before.join, before.teacher)
    classroom = replace(settings, secret=before.secret, join=join, teacher=teacher)
    write_classroom(classroom)
    return classroom
