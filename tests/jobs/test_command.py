from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zspag_core.cli import main

ROOT = Path(__file__).parents[2]


def worker(home, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "zspag_core", "worker", *arguments],
        cwd=ROOT,
        env=os.environ | {"ZSPAG_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.mark.slow
def test_worker_says_one_line_and_ends_when_idle(home):
    ended = worker(home, "--device", "cpu", "--lane", "runs", "--until-idle", "0")
    assert ended.returncode == 0
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.endswith("serves runs on cpu")


def test_worker_without_its_device_says_why(home, capfd):
    assert main(["worker", "--device", "cuda:99"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "cuda:99" in line
