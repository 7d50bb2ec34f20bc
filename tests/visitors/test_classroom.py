from __future__ import annotations

import json
import sys

import pytest

from zspag_core.errors import UsageError
from zspag_core.visitors.classroom import (
    LETTERS,
    Classroom,
    Limits,
    classroom_file,
    is_shared,
    open_classroom,
    read_classroom,
)


def test_codes_stay_from_day_to_day_until_new_ones_are_asked_for(home):
    first = open_classroom(Classroom(hosts=("localhost",)))
    assert (len(first.join), len(first.teacher), len(first.secret)) == (6, 12, 64)
    assert set(first.join + first.teacher) <= set(LETTERS)
    again = open_classroom(Classroom(limits=Limits(waiting=2), secure=True, teachers=("a@b.c",), login=True))
    assert (again.join, again.teacher, again.secret) == (first.join, first.teacher, first.secret)
    assert (again.limits.waiting, again.secure, again.hosts) == (2, True, ())
    assert read_classroom() == again
    anew = open_classroom(Classroom(), anew=True)
    assert anew.secret == first.secret, "who has joined stays joined"
    assert (anew.join, anew.teacher) != (first.join, first.teacher)


@pytest.mark.skipif(sys.platform == "win32", reason="rights are others there")
def test_nobody_else_reads_codes_and_secret(home):
    open_classroom(Classroom())
    assert classroom_file().stat().st_mode & 0o077 == 0


def test_without_the_file_nothing_is_shared(home, monkeypatch):
    with pytest.raises(UsageError, match="start with: zspag app --share"):
        read_classroom()
    assert not is_shared()
    monkeypatch.setenv("ZSPAG_SHARE", "1")
    assert is_shared()


@pytest.mark.parametrize("change", [{"secret": ""}, {"limits": {}}, {"hosts": None}])
def test_a_file_that_lacks_something_opens_no_door(home, change):
    open_classroom(Classroom())
    broken = json.loads(classroom_file().read_text()) | change
    classroom_file().write_text(json.dumps(broken))
    with pytest.raises(UsageError, match="cannot be read"):
        read_classroom()
