"""Who is alive: workers and dashboards leave the database's time in it every few seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from zspag_core.jobs.schema import beats, clock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement, Engine

BEAT_SECONDS = 2.0
STALE_SECONDS = 10.0
WORKER, DASHBOARD, STARTING = "worker", "dashboard", "starting"


@dataclass(frozen=True)
class Heartbeat:
    """One process that is alive.

    Attributes:
        name: unique name of the process.
        role: "worker", "dashboard", or "starting" for a worker that someone is about to start.
        lanes: the queues that it serves.
        device: the device that it computes on.
        at: when it was last heard of, seconds since 1970.
    """

    name: str
    role: str
    lanes: tuple[str, ...]
    device: str
    at: float

    def serves(self, lane: str, device: str) -> bool:
        """Tell whether this worker takes jobs of a lane that ask for a device."""
        return lane in self.lanes and device in served_devices(self.device)


def served_devices(device: str) -> set[str]:
    """Return what a job may ask for to be taken by a worker on `device`: every machine has a CPU."""
    return {"auto", "cpu", device, device.partition(":")[0]}


class Heartbeats:
    """The table of beats."""

    def __init__(self, engine: Engine) -> None:
        """Use a database that is open."""
        self._engine = engine

    def beat(self, name: str, role: str, lanes: Iterable[str] = (), device: str = "") -> None:
        """Say that a process is alive."""
        values = {"role": role, "lanes": ",".join(lanes), "device": device, "at": clock()}
        with self._engine.begin() as connection:
            if not connection.execute(update(beats).where(beats.c.name == name).values(**values)).rowcount:
                connection.execute(insert(beats).values(name=name, **values))

    def forget(self, name: str) -> None:
        """Say that a process has ended."""
        with self._engine.begin() as connection:
            connection.execute(delete(beats).where(beats.c.name == name))

    def reserve(self, name: str, seconds: float) -> bool:
        """Take a name for some seconds; True for one caller, whoever else asks meanwhile gets False."""
        values = {"role": STARTING, "lanes": "", "device": "", "at": clock()}
        stale = beats.c.at < clock() - seconds
        try:
            with self._engine.begin() as connection:
                if connection.execute(update(beats).where(beats.c.name == name, stale).values(**values)).rowcount:
                    return True
                connection.execute(insert(beats).values(name=name, **values))
        except IntegrityError:
            return False
        return True

    def alive(self, role: str, within: float = STALE_SECONDS) -> list[Heartbeat]:
        """Return the processes of a role that were heard of lately."""
        query = select(beats).where(beats.c.role == role, lately(within)).order_by(beats.c.name)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [Heartbeat(row.name, row.role, tuple(row.lanes.split(",")), row.device, row.at) for row in rows]


def lately(within: float) -> ColumnElement[bool]:
    """Return the condition that a beat is no older than that; nor is it newer: then the clock was put back since."""
    age = clock() - beats.c.at
    return and_(age < within, age > -STALE_SECONDS)
