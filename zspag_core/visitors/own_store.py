"""The queue as one visitor of a shared dashboard may use it. The guard stands here, below every page.

Lists hold their own jobs only. Any job can be looked at by its name, which nobody guesses: that is what a shared link
is. To change a job, to work on its files, and to use a model or an upload, it must be theirs.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select

from zspag_core.errors import ForbiddenError, LimitError
from zspag_core.files import home
from zspag_core.jobs.folders import run_folder
from zspag_core.jobs.records import ACTIVE, Job, Lane, State
from zspag_core.jobs.schema import jobs
from zspag_core.jobs.store import JobStore
from zspag_core.visitors.belongings import files_within, owners, size_mb, trained, uploads
from zspag_core.visitors.presence import Presence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement

    from zspag_core.visitors.classroom import Limits
    from zspag_core.visitors.passes import Visitor

LOOKING = frozenset({"map", "samples", "attention"})
"""Tasks that only draw what a run has made: they may be asked about a run that somebody shares."""
MAKING = frozenset({"adopt", "train"})
"""Tasks whose answer is a file of whoever asked: nobody takes another's."""
LONG = (Lane.RUNS, Lane.SWEEPS)
"""Lanes whose jobs are counted: short tasks answer a page that is open."""


class VisitorStore(JobStore):
    """A job store in which others' jobs are out of reach."""

    def __init__(self, store: JobStore, visitor: Visitor, limits: Limits) -> None:
        """Use a store's database for one visitor."""
        self._engine = store.engine
        self._watched_since = self._watched_last = 0.0
        self.visitor, self.limits = visitor, limits

    @cached_property
    def presence(self) -> Presence:
        """The tables of the class."""
        return Presence(self._engine)

    def listed(self) -> ColumnElement[bool]:
        """Return the condition that a job appears in this visitor's lists: it is theirs."""
        return jobs.c.owner == self.visitor.id

    def is_own(self, job: Job) -> bool:
        """Tell whether this visitor may change a job."""
        return job.owner == self.visitor.id

    def get(self, job_id: str) -> Job | None:
        """Return a job of any owner, unless another has deleted it."""
        job = super().get(job_id)
        return job if job is None or self.is_own(job) or job.deleted is None else None

    def check_own(self, job_id: str) -> None:
        """Refuse to change what is another's.

        Raises:
            ForbiddenError: it is.
        """
        job = super().get(job_id)
        if job is not None and not self.is_own(job):
            raise ForbiddenError("This belongs to somebody else: you can look at it, and change nothing of it.")

    def recall(self, kind: str, config: Mapping[str, Any]) -> Job | None:
        """Return the newest own job of exactly this config, else another's that has its answer or is about to."""
        own = self._newest(kind, config, self.listed())
        if own is not None or kind in MAKING:
            return own
        coming = and_(jobs.c.lane.not_in(LONG), jobs.c.state.in_(ACTIVE))
        return self._newest(kind, config, or_(jobs.c.state == State.DONE, coming))

    def submit(
        self,
        kind: str,
        config: Mapping[str, Any],
        *,
        lane: str = Lane.RUNS,
        device: str = "auto",
        comparison: str = "",
        owner: str = "",
    ) -> Job:
        """Put a job of this visitor's at the end of a lane; `owner` can be nobody else.

        Raises:
            ForbiddenError: it would work on something of another's.
            LimitError: it is more than each may have.
        """
        self._check_subjects(kind, config)
        if lane in LONG:
            self.check_room()
        if owner not in {"", self.visitor.id}:
            raise ForbiddenError("Nobody can queue work in another's name.")
        return super().submit(kind, config, lane=lane, device=device, comparison=comparison, owner=self.visitor.id)

    def resume(self, job_id: str) -> bool:
        """Queue an own job that ended early again.

        Raises:
            ForbiddenError, LimitError: it is another's, or one more than each may have.
        """
        self.check_own(job_id)
        job = self.get(job_id)
        if job is not None and job.lane in LONG:
            self.check_room()
        return super().resume(job_id)

    def check_room(self, runs: int = 1) -> None:
        """Refuse more waiting runs, or more files, than each visitor may have.

        Args:
            runs: how many are to be queued together.

        Raises:
            LimitError: it says what the limit is, and what to do.
        """
        waiting, most = self._waiting(), self.limits.waiting
        if waiting + runs > most:
            asked = "one more" if runs == 1 else f"{runs} more"
            raise LimitError(
                f"In this class each may have {most} run{'s' * (most > 1)} waiting; you have {waiting}, and ask for "
                f"{asked}. Wait until some have begun, or cancel some on the Runs page."
            )
        self._check_disk(0.0)

    def check_upload(self, size: float) -> None:
        """Refuse an upload beyond what each may bring within an hour, or keep; note it otherwise.

        Args:
            size: bytes.

        Raises:
            LimitError: it says what the limit is, and what to do.
        """
        lately, most = self.presence.delivered_lately(self.visitor.id) / 1e6, self.limits.upload_mb
        if lately + size / 1e6 > most:
            raise LimitError(
                f"In this class each may upload {most:,} MB an hour; you have brought {lately:,.0f} MB, and this is "
                f"{size / 1e6:,.0f} MB. Try again later."
            )
        self._check_disk(size / 1e6)
        self.presence.delivered(self.visitor.id, size)

    def used_mb(self) -> float:
        """Return the room that this visitor's runs, models and uploads take."""
        return size_mb([*map(run_folder, self._run_ids()), *self.own_models(), *self.own_uploads()])

    def own_uploads(self) -> list[Path]:
        """Return the files and folders that this visitor uploaded."""
        entries = sorted(uploads().iterdir()) if uploads().is_dir() else []
        return [path for path in entries if not path.name.startswith(".") and self.visitor.id in owners(path)]

    def own_models(self) -> list[Path]:
        """Return the models that this visitor trained."""
        names = {str(job.config.get("name")) for job in self.latest(limit=1000, kind="train", include_deleted=True)}
        return [path for path in sorted(trained().glob("*.safetensors")) if path.stem in names]

    def may_use(self, path: Path) -> bool:
        """Tell whether a file is no other visitor's: their own, or none that visitors have made."""
        root, real = home().resolve(), path.resolve()
        if root not in real.parents:
            return real != root
        place, *below = real.relative_to(root).parts
        if place == "uploads" and below:
            return self.visitor.id in owners(uploads() / below[0])
        if place == "checkpoints":
            return real in {model.resolve() for model in self.own_models()}
        job = super().get(below[0]) if place == "runs" and below else None
        return job is not None and self.is_own(job)

    def _check_subjects(self, kind: str, config: Mapping[str, Any]) -> None:
        """Refuse work on another's run, model or upload."""
        for name in ("run", "retrained"):
            if kind not in LOOKING and isinstance(config.get(name), str):
                self.check_own(config[name])
        shared = super().get(str(config.get("run"))) if kind in LOOKING else None
        for path in files_within(dict(config), home().resolve()):
            if not (self.may_use(path) or (shared is not None and path in _subjects(shared))):
                raise ForbiddenError("This model or data belongs to somebody else: choose one of your own.")
        if kind == "train" and self._is_taken(str(config.get("name"))):
            raise ForbiddenError(f"Somebody else has a model named {config.get('name')}: choose another name.")

    def _is_taken(self, name: str) -> bool:
        """Tell whether another visitor has trained a model of this name, or is about to."""
        others = and_(jobs.c.kind == "train", jobs.c.owner != self.visitor.id)
        with self._engine.connect() as connection:
            configs = list(connection.execute(select(jobs.c.config).where(others)).scalars())
        file = trained() / f"{name}.safetensors"
        return any(json.loads(text).get("name") == name for text in configs) or (
            file.exists() and not self.may_use(file)
        )

    def _check_disk(self, more_mb: float) -> None:
        used, most = self.used_mb(), self.limits.disk_mb
        if used + more_mb > most:
            raise LimitError(
                f"In this class each may keep {most:,} MB; your runs, models and uploads take {used:,.0f} MB"
                f"{f', and this is {more_mb:,.0f} MB more' if more_mb else ''}. Delete some runs on the Runs page."
            )

    def _waiting(self) -> int:
        """Return how many long jobs of this visitor's wait."""
        mine = and_(self.listed(), jobs.c.state == State.QUEUED, jobs.c.lane.in_(LONG))
        with self._engine.connect() as connection:
            return int(connection.execute(select(func.count()).where(mine)).scalar_one())

    def _run_ids(self) -> list[str]:
        """Return the names of this visitor's jobs that are not deleted."""
        mine = and_(self.listed(), jobs.c.deleted.is_(None), jobs.c.lane.in_([*LONG, Lane.TRIALS]))
        with self._engine.connect() as connection:
            return list(connection.execute(select(jobs.c.id).where(mine)).scalars())


def _subjects(job: Job) -> set[Path]:
    """Return the files that a run was made with."""
    return {Path(str(job.config[name])).resolve() for name in ("checkpoint", "data") if name in job.config}
