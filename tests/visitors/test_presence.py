from __future__ import annotations

import threading

import pytest
from sqlalchemy import update

from zspag_core.errors import ForbiddenError
from zspag_core.jobs.schema import clock
from zspag_core.visitors.passes import Visitor
from zspag_core.visitors.presence import OPEN, Presence
from zspag_core.visitors.tables import deliveries, visitors

DATABASES = ("sqlite", "postgres")
TEACHER, ADA, BOB = Visitor("t", "Ms T", teacher=True), Visitor("a", "Ada"), Visitor("b", "bob")


@pytest.fixture
def presence(store):
    return Presence(store.engine)


def test_the_teacher_sees_who_is_where(presence, store):
    presence.seen(BOB, "Learn", 2)
    presence.seen(ADA, "Forget", 1)
    presence.seen(ADA)
    presence.seen(TEACHER, "Learn")
    places = presence.places(TEACHER)
    assert [(place.name, place.page, place.lesson, place.teacher) for place in places] == [
        ("Ada", "Forget", 1, False),
        ("bob", "Learn", 2, False),
        ("Ms T", "Learn", 0, True),
    ]
    assert all(0 <= place.ago < 60 for place in places)
    with store.engine.begin() as connection:
        connection.execute(update(visitors).where(visitors.c.id == "a").values(seen=clock() - 90_000))
    assert [place.name for place in presence.places(TEACHER)] == ["bob", "Ms T"]


def test_each_visitor_has_one_answer_to_a_question(presence):
    presence.answer(ADA, 3, "8", 0)
    presence.answer(ADA, 3, "8", 2)
    presence.answer(BOB, 3, "8", 2)
    presence.answer(BOB, 3, "16", 1)
    assert presence.counts(TEACHER, 3, "8") == {2: 2}
    presence.forget_answers(TEACHER)
    assert presence.counts(TEACHER, 3, "8") == {}


def test_what_is_the_teachers_is_nobody_elses(presence):
    for ask in (
        presence.places,
        lambda by: presence.counts(by, 1, "3"),
        presence.forget_answers,
        lambda by: presence.lead(by, {"page": "x"}),
    ):
        with pytest.raises(ForbiddenError, match="for the teacher"):
            ask(ADA)
    assert presence.notice(OPEN) is None


def test_the_last_notice_stands_until_it_is_taken_down(presence):
    presence.lead(TEACHER, {"page": "pages/8_Learn.py"})
    _, first = presence.notice(OPEN)
    presence.lead(TEACHER, {"page": "pages/2_Forget.py"})
    body, at = presence.notice(OPEN)
    assert body == {"page": "pages/2_Forget.py"}
    assert at >= first
    presence.take_down(OPEN)
    assert presence.notice(OPEN) is None


def test_uploads_of_the_last_hour_are_counted(presence, store):
    presence.delivered("a", 5.0)
    presence.delivered("a", 7.0)
    presence.delivered("b", 100.0)
    assert presence.delivered_lately("a") == 12.0
    with store.engine.begin() as connection:
        connection.execute(update(deliveries).where(deliveries.c.bytes == 5.0).values(at=clock() - 3700))
    assert presence.delivered_lately("a") == 7.0
    assert presence.delivered_lately("nobody") == 0.0


@pytest.mark.slow
def test_two_pages_of_one_visitor_do_not_disturb_each_other(presence):
    failures = []

    def note():
        try:
            for lesson in range(1, 6):
                presence.seen(ADA, "Learn", lesson)
                presence.answer(ADA, lesson, "x", 1)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=note) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert presence.counts(TEACHER, 5, "x") == {1: 1}
