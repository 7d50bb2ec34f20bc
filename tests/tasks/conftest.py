"""A store of its own for every test, and a finished run to look into."""

from __future__ import annotations

import shutil

import pytest

from tests.jobs.conftest import home, store  # noqa: F401 - fixtures
from zspag_core.runs.config import RunConfig
from zspag_core.runs.execute import execute

RUN = "0123456789abcdef01234567"


@pytest.fixture(scope="session")
def finished_folder(digits_checkpoint, tmp_path_factory):
    """The folder of a finished run that forgot the digit 3."""
    out = tmp_path_factory.mktemp("finished") / "run"
    settings = {"epochs": 2, "n_adv": 8, "epsilon": 0.3, "energy": 0.8}
    execute(RunConfig("digits", str(digits_checkpoint), (3,), settings=settings, device="cpu", relearning=False), out)
    return out


@pytest.fixture
def run_id(home, finished_folder):  # noqa: F811 - the fixture that is imported above
    """That run, copied to where jobs keep theirs; its id."""
    shutil.copytree(finished_folder, home / "runs" / RUN)
    return RUN
