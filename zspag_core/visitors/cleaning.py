"""The disk budget of a shared dashboard: the oldest runs that nobody pinned go, a while after that was announced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, select

from zspag_core.jobs.folders import run_folder, state_folder
from zspag_core.jobs.records import ACTIVE
from zspag_core.jobs.schema import jobs
from zspag_core.visitors.belongings import size_mb
from zspag_core.visitors.presence import CLEANING, Presence

if TYPE_CHECKING:
    from zspag_core.jobs.store import JobStore

ANNOUNCED_SECONDS = 900.0
SHARE_LEFT = 0.8
"""How full the budget is after a clean-up: one that only just fits is over again with the next run."""
MB_OF_GB = 1000.0


class Cleaning:
    """Looks, when it is told to, whether the runs of a class are within their budget."""

    def __init__(self, store: JobStore, budget_gb: float) -> None:
        """Watch over the runs in a store; runs that were made without sharing are left alone."""
        self._store, self._budget_mb = store, budget_gb * MB_OF_GB
        self._presence = Presence(store.engine)

    def look(self) -> None:
        """Announce a clean-up that is needed, carry out one that was announced, call off one that is not needed."""
        sizes = self._sizes()
        announced, too_much = self._presence.notice(CLEANING), sum(sizes.values()) - self._budget_mb
        if not self._budget_mb or too_much <= 0:
            if announced is not None:
                self._presence.take_down(CLEANING)
        elif announced is None:
            self._announce(sizes)
        elif self._store.now() >= announced[0]["due"]:
            self._clean(announced[0]["runs"])
            self._presence.take_down(CLEANING)

    def _announce(self, sizes: dict[str, float]) -> None:
        """Say which runs will go: the oldest, until there is some room again."""
        over, going = sum(sizes.values()) - SHARE_LEFT * self._budget_mb, []
        for job_id in self._oldest():
            if over <= 0:
                break
            going.append(job_id)
            over -= sizes.get(job_id, 0.0)
        if going:
            self._presence.tell(CLEANING, {"runs": going, "due": self._store.now() + ANNOUNCED_SECONDS})

    def _clean(self, announced: list[str]) -> None:
        """Remove what was announced and is still of no use to anybody, the oldest first, until there is room."""
        for job_id in announced:
            if sum(self._sizes().values()) <= SHARE_LEFT * self._budget_mb:
                return
            self._store.clear_away(job_id)

    def _sizes(self) -> dict[str, float]:
        """Return how many MB every run of the class takes, those that were deleted apart."""
        query = select(jobs.c.id).where(jobs.c.owner != "", jobs.c.deleted.is_(None))
        with self._store.engine.connect() as connection:
            found = list(connection.execute(query).scalars())
        folders = {job_id: [run_folder(job_id), state_folder(job_id)] for job_id in found}
        return {job_id: size_mb(path for path in paths if path.exists()) for job_id, paths in folders.items()}

    def _oldest(self) -> list[str]:
        """Return the runs that may go, the oldest first."""
        ended = and_(jobs.c.owner != "", jobs.c.deleted.is_(None), jobs.c.pinned.is_(None), jobs.c.state.not_in(ACTIVE))
        with self._store.engine.connect() as connection:
            return list(connection.execute(select(jobs.c.id).where(ended).order_by(jobs.c.finished)).scalars())
