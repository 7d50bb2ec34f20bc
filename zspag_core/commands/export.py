"""Log finished runs where other tools look for them.

Each folder becomes a run of an MLflow experiment: its configuration as parameters, its graded figures and those of
every epoch as metrics, config.json and result.json as files. TARGET is a folder, which gets a database mlflow.db
(`mlflow ui --backend-store-uri sqlite:///TARGET/mlflow.db` shows it), or the URI of a tracking server. A folder that
was logged before is not logged again. All trials of a sweep are logged by `tune --export mlflow TARGET`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `export`."""
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folder of a finished run")
    parser.add_argument("--mlflow", required=True, metavar="TARGET", help="a folder, or the URI of a tracking server")
    parser.add_argument("--experiment", default="", metavar="NAME", help="name of the experiment (ZS-PAG runs)")


def run(arguments: argparse.Namespace) -> int:
    """Log every folder and say how many were new."""
    from zspag_core.mlflow_log import RUNS, MlflowLog

    log = MlflowLog(arguments.mlflow, arguments.experiment or RUNS)
    new = sum(log.log_run(folder) for folder in arguments.folders)
    print(f"{new} of {len(arguments.folders)} logged to {arguments.mlflow}, the others were there")  # noqa: T201
    return 0
