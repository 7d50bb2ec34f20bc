"""Whose turn it is: visitors who share a queue are served in turn, like guests at a table, not by who asked most.

Next comes the visitor with the fewest jobs under way; of several, the one who was served longest ago, and of those
never served the one who asked first. One person alone is served in the order of asking.
"""

from __future__ import annotations

from collections import Counter, deque
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from zspag_core.jobs.records import State
from zspag_core.jobs.schema import jobs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Select

    from zspag_core.jobs.records import Job


def next_in_turn(connection: Connection, lane: str, waits: ColumnElement[bool]) -> int | None:
    """Return the row number of the job whose turn it is, None where none waits.

    Three short looks at indexes, and one where only one person's jobs wait: workers ask twenty times a second.

    Args:
        connection: to the database.
        lane: the queue.
        waits: the condition that a job may be taken.
    """
    firsts: dict[str, int] = {row[0]: row[1] for row in connection.execute(_first_of_each(waits))}
    if len(firsts) < 2:
        return next(iter(firsts.values()), None)
    running = select(jobs.c.owner, func.count()).where(jobs.c.lane == lane, jobs.c.state == State.RUNNING)
    under_way: dict[str, int] = {row[0]: row[1] for row in connection.execute(running.group_by(jobs.c.owner))}
    served = last_served(connection, lane)
    owner = min(firsts, key=lambda name: (under_way.get(name, 0), served.get(name, 0.0), firsts[name]))
    return firsts[owner]


@lru_cache(maxsize=64)
def _first_of_each(waits: ColumnElement[bool]) -> Select[str, int]:
    """Return the query for every visitor's first waiting job."""
    return select(jobs.c.owner, func.min(jobs.c.number)).where(waits).group_by(jobs.c.owner)


def last_served(connection: Connection, lane: str) -> dict[str, float]:
    """Return when a job of each visitor last began, seconds since 1970; without those whose jobs never did."""
    query = select(jobs.c.owner, func.max(jobs.c.started)).where(jobs.c.lane == lane).group_by(jobs.c.owner)
    return {owner: started for owner, started in connection.execute(query) if started is not None}


def in_turn(waiting: Sequence[Job], running: Sequence[Job], served: Mapping[str, float]) -> list[Job]:
    """Return waiting jobs in the order in which one worker will take them, as far as can be known now.

    Args:
        waiting: in the order in which they were asked for.
        running: jobs under way; each counts as ended when the next one begins.
        served: owner -> when a job of theirs last began, seconds since 1970; who is missing was never served.
    """
    lines: dict[str, deque[tuple[int, Job]]] = {}
    for place, job in enumerate(waiting):
        lines.setdefault(job.owner, deque()).append((place, job))
    under_way = Counter(job.owner for job in running)
    last = {owner: served.get(owner, 0.0) for owner in lines}
    now, order = max([0.0, *served.values()]), []
    while lines:
        owner = min(lines, key=lambda name: (under_way[name], last[name], lines[name][0][0]))
        order.append(lines[owner].popleft()[1])
        now += 1.0
        last[owner], under_way = now, Counter()
        if not lines[owner]:
            del lines[owner]
    return order
