"""Finished runs and sweeps in an MLflow folder or server, where practitioners look for theirs; an extra."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zspag_core.errors import UsageError
from zspag_core.metrics.catalogue import GRADED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mlflow import MlflowClient

    from zspag_core.tuning.sweep import Sweep

    Figures = Mapping[str, float | None]

INSTALL = 'mlflow is not installed: pip install ".[mlflow]"'
RUNS = "ZS-PAG runs"
KEY = "zspag.key"
"""Tag by which a run is found again that was logged before."""
FILES = ("config.json", "result.json")
NONE: dict[str, float | None] = {}
LONGEST = 250
"""Characters of a parameter's value that every store takes."""


class MlflowLog:
    """An experiment that runs are logged to, each once."""

    def __init__(self, target: str, experiment: str = RUNS) -> None:
        """Open a target, or make it.

        Args:
            target: a folder, where a database `mlflow.db` and the files are kept, or the URI of a tracking server.
            experiment: name of the experiment; made where it is missing.

        Raises:
            UsageError: MLflow is not installed, or the target cannot be used.
        """
        self.check()
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        uri, files = _places(target)
        try:
            self._client: MlflowClient = MlflowClient(uri)
            known = self._client.get_experiment_by_name(experiment)
            self._experiment = known.experiment_id if known else self._client.create_experiment(experiment, files)
        except MlflowException as error:
            raise UsageError(f"MLflow cannot use {target}: {str(error).splitlines()[0]}") from None

    @staticmethod
    def check() -> None:
        """Have MLflow at hand, silent and without telemetry.

        Raises:
            UsageError: it is not installed.
        """
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        try:
            import mlflow  # noqa: F401
        except ModuleNotFoundError:
            raise UsageError(INSTALL) from None
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)

    def log_run(self, folder: Path, *, key: str = "", name: str = "", figures: Figures = NONE) -> bool:
        """Log a finished run; return False where it was logged before.

        Args:
            folder: of the run.
            key: by which it is found again; the folder's place where empty.
            name: for people; the folder's name where empty.
            figures: further metrics.

        Raises:
            UsageError: the folder holds no finished run.
        """
        config, result = (_read(folder / file) for file in FILES)
        metrics = dict(metrics_of(result)) | {name: value for name, value in figures.items() if value is not None}
        run = self._begin(key or str(folder.resolve()), name or folder.name, params_of(config))
        if run is None:
            return False
        for metric, value in metrics.items():
            self._client.log_metric(run, metric, value)
        for row in result["history"]:
            self._log_epoch(run, row)
        for file in FILES:
            self._client.log_artifact(run, str(folder / file))
        self._client.set_terminated(run)
        return True

    def log_failure(self, key: str, name: str, params: Mapping[str, Any], error: str) -> bool:
        """Log a trial that came to no end; return False where it was logged before."""
        run = self._begin(key, name, params)
        if run is None:
            return False
        self._client.set_tag(run, "error", error)
        self._client.set_terminated(run, "FAILED")
        return True

    def _begin(self, key: str, name: str, params: Mapping[str, Any]) -> str | None:
        """Return the id of a new run with its parameters; None where there is one with this key."""
        if self._client.search_runs([self._experiment], f"tags.`{KEY}` = '{key}'", max_results=1):
            return None
        run: str = self._client.create_run(self._experiment, tags={KEY: key}, run_name=name).info.run_id
        for param, value in params.items():
            self._client.log_param(run, param, str(value)[:LONGEST])
        return run

    def _log_epoch(self, run: str, row: Mapping[str, Any]) -> None:
        """Log an epoch's figures under its number."""
        for name, value in row.items():
            if name != "epoch" and isinstance(value, int | float):
                self._client.log_metric(run, f"epoch.{name}", float(value), step=int(row["epoch"]))


def log_sweep(target: str, sweep: Sweep, rows: Sequence[Mapping[str, Any]], folders: Mapping[str, Path]) -> int:
    """Log every run of a sweep; return how many were new.

    Args:
        target: as :class:`MlflowLog` takes it.
        sweep: what was varied.
        rows: its trials.
        folders: id of a job -> its run folder, as far as it is there.

    Raises:
        UsageError: as :class:`MlflowLog`.
    """
    axes = ", ".join(axis.name for axis in sweep.space)
    log, new = MlflowLog(target, f"ZS-PAG sweep of {axes}"), 0
    for row in rows:
        for seed, job in zip(row["seeds"], row["jobs"], strict=True):
            name = f"trial {row['number']}" + (f", seed {seed}" if len(row["seeds"]) > 1 else "")
            if row["state"] == "done" and job in folders:
                new += log.log_run(folders[job], key=job, name=name, figures=row["figures"])
            else:
                new += log.log_failure(job, name, {**row["point"], "seed": seed}, row["error"] or row["state"])
    return new


def metrics_of(result: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the graded figures of a record, before and after, and its stages' seconds."""
    for when in ("before", "after"):
        for measure in GRADED:
            value: Any = result[when]
            for step in measure.path:
                value = (value or {}).get(step)
            if value is not None:
                yield f"{when}.{'.'.join(measure.path)}", float(value)
    for stage, seconds in result["seconds"].items():
        if seconds is not None:
            yield f"seconds.{stage}", float(seconds)


def params_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's configuration as flat names and values; what was not said is left out."""
    settings = {f"set.{name}": value for name, value in config.get("settings", {}).items()}
    plain = {name: value for name, value in config.items() if name != "settings"}
    return {name: value for name, value in plain.items() if value not in (None, "", {}, [])} | settings


def _places(target: str) -> tuple[str, str | None]:
    """Return the tracking URI of a target and where its files go."""
    if "://" in target:
        return target, None
    folder = Path(target).expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror or error}") from None
    return f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()


def _read(path: Path) -> dict[str, Any]:
    """Return a file of a run folder."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UsageError(f"{path.parent}: expected the folder of a finished run, with {' and '.join(FILES)}") from None
    return dict(content)
