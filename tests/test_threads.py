"""Threads that wait for each other leave the core to others."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
import torch

from zspag_core import threads

COMMAND = "from zspag_core.cli import main; main(['methods']); import torch"


@pytest.fixture
def unset(monkeypatch):
    """Nobody has chosen how threads wait."""
    monkeypatch.setattr(
        os, "environ", {k: v for k, v in os.environ.items() if k not in {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}}
    )


def test_threads_sleep_where_nobody_has_chosen(unset):
    assert threads.rest_while_waiting()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_what_was_chosen_stays(unset, name):
    os.environ[name] = "1000"
    before = dict(os.environ)
    assert not threads.rest_while_waiting()
    assert os.environ == before


@pytest.mark.skipif("USE_OPENMP=ON" not in torch.__config__.show(), reason="this torch was built without OpenMP")
def test_openmp_hears_of_it_when_a_command_loads_torch(unset):
    environment = {**os.environ, "OMP_DISPLAY_ENV": "true"}
    done = subprocess.run([sys.executable, "-c", COMMAND], capture_output=True, text=True, check=True, env=environment)
    assert re.search(r"OMP_WAIT_POLICY ?= ?'PASSIVE'", done.stderr)
