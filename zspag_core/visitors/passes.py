"""The pass that a visitor's browser carries: who they are, signed, so that nobody can be somebody else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass

from zspag_core.visitors.classroom import Classroom, plain_code

COOKIE = "zspag_visitor"
DAYS = 180
NAME_LETTERS = 24
VERSION = "1"


@dataclass(frozen=True)
class Visitor:
    """Somebody who uses a shared dashboard.

    Attributes:
        id: unguessable; what their runs and uploads are kept under.
        name: what they want to be called; the teacher sees it.
        teacher: whether they have told the teacher's code.
    """

    id: str
    name: str
    teacher: bool = False


def new_visitor(name: str, *, teacher: bool = False, known: Visitor | None = None) -> Visitor:
    """Return a visitor of a name; one who is `known` stays who they are, and stays a teacher."""
    was_teacher = known is not None and known.teacher
    return Visitor(known.id if known else secrets.token_hex(10), tidy_name(name), teacher or was_teacher)


def tidy_name(name: str) -> str:
    """Return a name of one short line that can be printed; empty where nothing is left."""
    printable = "".join(letter if letter.isprintable() else " " for letter in name)
    return " ".join(printable.split())[:NAME_LETTERS].strip()


def role_of(code: str, classroom: Classroom) -> str | None:
    """Return "teacher" or "visitor" by the code told, None where it is neither; in the same time whichever it is."""
    typed = plain_code(code).encode()
    teacher = hmac.compare_digest(typed, plain_code(classroom.teacher).encode())
    visitor = hmac.compare_digest(typed, plain_code(classroom.join).encode())
    return "teacher" if teacher else "visitor" if visitor else None


def write_pass(visitor: Visitor, secret: str) -> str:
    """Return the text that the browser keeps."""
    facts = json.dumps([VERSION, visitor.id, visitor.name, visitor.teacher]).encode()
    body = base64.urlsafe_b64encode(facts).decode().rstrip("=")
    return f"{body}.{_signature(body, secret)}"


def read_pass(text: str, secret: str) -> Visitor | None:
    """Return whose pass it is, None where this dashboard did not write it."""
    body, _, signature = text.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(body, secret).encode()):
        return None
    try:
        version, name_of, name, teacher = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, binascii.Error, TypeError):
        return None
    return Visitor(str(name_of), str(name), bool(teacher)) if version == VERSION else None


def _signature(body: str, secret: str) -> str:
    return hmac.new(secret.encode(), body.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
