from __future__ import annotations

import base64
import json

import pytest

from zspag_core.visitors.classroom import Classroom
from zspag_core.visitors.passes import Visitor, new_visitor, read_pass, role_of, tidy_name, write_pass

SECRET = "s" * 64
CLASS = Classroom(SECRET, "ABC234", "TEACHERCODE2")


def test_a_pass_says_whose_it_is():
    ada = new_visitor("Ada Lovelace é")
    assert read_pass(write_pass(ada, SECRET), SECRET) == ada
    assert (ada.teacher, len(ada.id)) == (False, 20)
    assert new_visitor("Ada").id != ada.id


def forged(**changes):
    """Return a pass of Ada's whose words were changed, with the signature that it had."""
    body, _, signature = write_pass(Visitor("a" * 20, "Ada"), SECRET).partition(".")
    version, name_of, name, teacher = json.loads(base64.urlsafe_b64decode(body + "=="))
    facts = {"version": version, "id": name_of, "name": name, "teacher": teacher} | changes
    return f"{base64.urlsafe_b64encode(json.dumps(list(facts.values())).encode()).decode().rstrip('=')}.{signature}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "x.y",
        "\ud800.x",
        forged(id="b" * 20),
        forged(teacher=True),
        forged(version="0"),
        write_pass(Visitor("a" * 20, "Ada"), "t" * 64),
        write_pass(Visitor("a" * 20, "Ada"), SECRET)[:-1],
    ],
)
def test_a_pass_that_was_not_written_here_is_none(text):
    assert read_pass(text, SECRET) is None


def test_a_pass_of_an_older_kind_is_none():
    body = base64.urlsafe_b64encode(b'["0", "a", "Ada", true]').decode().rstrip("=")
    from zspag_core.visitors.passes import _signature

    assert read_pass(f"{body}.{_signature(body, SECRET)}", SECRET) is None
    assert read_pass(f"{body[:8]}.{_signature(body[:8], SECRET)}", SECRET) is None


@pytest.mark.parametrize(
    ("code", "role"),
    [
        ("ABC234", "visitor"),
        (" abc 234 ", "visitor"),
        ("teach-erco-de2", "teacher"),
        ("ABC235", None),
        ("", None),
        ("ÄBC234", None),
    ],
)
def test_codes_tell_roles_however_they_are_written(code, role):
    assert role_of(code, CLASS) == role


def test_who_is_known_stays_who_they_are_and_a_teacher_stays_one():
    ada = new_visitor("Ada")
    teacher = new_visitor("Ms L", teacher=True, known=ada)
    assert (teacher.id, teacher.teacher) == (ada.id, True)
    assert new_visitor("Ada", known=teacher).teacher


@pytest.mark.parametrize(("name", "tidy"), [("  A\n\tb ", "A b"), ("x" * 99, "x" * 24), ("\x00\u202e", ""), ("", "")])
def test_names_are_short_lines_that_can_be_printed(name, tidy):
    assert tidy_name(name) == tidy
