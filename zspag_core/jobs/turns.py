"""Whose turn it is: visitors who share a queue are served in turn, like guests at a table, not by who asked most.

Next comes the visitor with the fewest jobs under way; of several, the one who was served longest ago, and of those
never served the one who asked first. One person alone is served in the order of asking.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, select

from zspag_core.jobs.records import State
from zspag_core.jobs.schema import jobs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Select

    from zspag_core.jobs.records import Job


def next_in_turn(lane: str, waits: ColumnElement[bool]) -> Select[tuple[int]]:
    """Return the query for the row number of the job whose turn it is.

    Args:
        lane: the queue.
        waits: the condition that a job may be taken.
    """
    other = jobs.alias("other")
    same = and_(other.c.lane == lane, other.c.owner == jobs.c.owner)
    under_way = select(func.count()).where(same, other.c.state == State.RUNNING).scalar_subquery()
    served = select(func.coalesce(func.max(other.c.started), 0.0)).where(same).scalar_subquery()
    first = func.min(jobs.c.number)
    return select(first).where(waits).group_by(jobs.c.owner).order_by(under_way, served, first).limit(1)


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
