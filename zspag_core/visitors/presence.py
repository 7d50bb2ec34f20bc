"""Who is where in a class, what they answered, and what is opened for all; the teacher's page draws it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from zspag_core.errors import ForbiddenError
from zspag_core.jobs.schema import clock, to_text
from zspag_core.visitors.tables import answers, deliveries, make_tables, notices, visitors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Engine, Table

    from zspag_core.visitors.passes import Visitor

HERE_SECONDS = 60.0
"""A visitor who was not heard of for so long has gone; open pages are heard of more often."""
HOUR = 3600.0
OPEN, CLEANING = "open", "cleaning"
"""Notices: what the teacher opens for all, and which runs will be cleared away."""


@dataclass(frozen=True)
class Place:
    """Where a visitor is.

    Attributes:
        name: what they are called.
        teacher: whether they are a teacher.
        page: the page that is open.
        lesson: the lesson that is open or was open last, 0 before the first.
        ago: seconds since they were heard of.
    """

    name: str
    teacher: bool
    page: str
    lesson: int
    ago: float


class Presence:
    """The tables of a class."""

    def __init__(self, engine: Engine) -> None:
        """Use the database of the jobs; tables that are missing are made."""
        self._engine = engine
        make_tables(engine)

    def seen(self, visitor: Visitor, page: str = "", lesson: int = 0) -> None:
        """Note that a visitor is here, and where, as far as it is said."""
        where: dict[str, Any] = {"name": visitor.name, "teacher": int(visitor.teacher), "seen": clock()}
        where |= ({"page": page} if page else {}) | ({"lesson": lesson} if lesson else {})
        self._put(visitors, visitors.c.id == visitor.id, {"id": visitor.id, "page": "", "lesson": 0}, where)

    def places(self, by: Visitor) -> list[Place]:
        """Return where everybody is, in the order of names, who was heard of within the last day; to a teacher only."""
        _check_teacher(by)
        ago = clock() - visitors.c.seen
        query = select(visitors, ago.label("ago")).where(ago < 24 * HOUR).order_by(func.lower(visitors.c.name))
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [Place(row.name, bool(row.teacher), row.page, row.lesson, float(row.ago)) for row in rows]

    def answer(self, visitor: Visitor, lesson: int, value: str, option: int) -> None:
        """Note what a visitor predicts; a later answer takes an earlier one's place."""
        key = {"visitor": visitor.id, "lesson": lesson, "value": value}
        same = (answers.c.visitor == visitor.id) & (answers.c.lesson == lesson) & (answers.c.value == value)
        self._put(answers, same, key, {"option": option, "at": clock()})

    def counts(self, by: Visitor, lesson: int, value: str) -> dict[int, int]:
        """Return how many visitors gave each answer, to a teacher only: option -> number."""
        _check_teacher(by)
        here = (answers.c.lesson == lesson) & (answers.c.value == value)
        query = select(answers.c.option, func.count()).where(here).group_by(answers.c.option)
        with self._engine.connect() as connection:
            return {int(option): int(count) for option, count in connection.execute(query)}

    def forget_answers(self, by: Visitor) -> None:
        """Begin anew, for a teacher only: nobody has answered anything."""
        _check_teacher(by)
        with self._engine.begin() as connection:
            connection.execute(delete(answers))

    def lead(self, by: Visitor, body: Mapping[str, Any]) -> None:
        """Say what opens on everybody's page; a teacher only."""
        _check_teacher(by)
        self.tell(OPEN, body)

    def tell(self, name: str, body: Mapping[str, Any]) -> None:
        """Put up a notice in place of the last one of its name."""
        self._put(notices, notices.c.name == name, {"name": name}, {"body": to_text(dict(body)), "at": clock()})

    def take_down(self, name: str) -> None:
        """Take a notice away."""
        with self._engine.begin() as connection:
            connection.execute(delete(notices).where(notices.c.name == name))

    def notice(self, name: str) -> tuple[dict[str, Any], float] | None:
        """Return a notice and when it was put up, seconds since 1970; None where there is none."""
        with self._engine.connect() as connection:
            row = connection.execute(select(notices).where(notices.c.name == name)).one_or_none()
        return None if row is None else (json.loads(row.body), float(row.at))

    def delivered(self, owner: str, size: float) -> None:
        """Note an upload of so many bytes; those of yesterday are forgotten."""
        with self._engine.begin() as connection:
            connection.execute(delete(deliveries).where(deliveries.c.at < clock() - 24 * HOUR))
            connection.execute(insert(deliveries).values(owner=owner, at=clock(), bytes=size))

    def delivered_lately(self, owner: str) -> float:
        """Return how many bytes a visitor uploaded within the last hour."""
        lately = (deliveries.c.owner == owner) & (deliveries.c.at > clock() - HOUR)
        with self._engine.connect() as connection:
            return float(connection.execute(select(func.sum(deliveries.c.bytes)).where(lately)).scalar() or 0.0)

    def _put(self, table: Table, same: ColumnElement[bool], key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Change a row, or make it where there is none; two who make it at once do not disturb each other."""
        change = update(table).where(same).values(**values)
        try:
            with self._engine.begin() as connection:
                if not connection.execute(change).rowcount:
                    connection.execute(insert(table).values(**{**key, **values}))
        except IntegrityError:
            with self._engine.begin() as connection:
                connection.execute(change)


def _check_teacher(by: Visitor) -> None:
    """Refuse everybody else.

    Raises:
        ForbiddenError: it is a visitor.
    """
    if not by.teacher:
        raise ForbiddenError("This is for the teacher: tell the teacher's code at /join.")
