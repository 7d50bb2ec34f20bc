from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.serving import free_port, wait_until_healthy
from zspag_core.cli import main
from zspag_core.commands import app
from zspag_core.shipped import ROOT


class Started(Exception):
    """Stands for the process that takes this one's place."""


@pytest.fixture
def started(monkeypatch):
    """Return what was started instead of starting it."""
    seen = {}

    def take(program, command, environment):
        seen.update(program=program, command=command, environment=environment, folder=Path.cwd())
        raise Started

    monkeypatch.setattr(app.os, "execve", take)
    monkeypatch.chdir(Path.cwd())  # brought back afterwards
    return seen


def test_streamlit_runs_where_the_settings_are(started):
    with pytest.raises(Started):
        main(["app"])
    assert started["command"] == [sys.executable, "-P", "-m", "streamlit", "run", str(ROOT / "app.py")]
    assert started["folder"] == ROOT
    settings = tomllib.loads((started["folder"] / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["address"] == "127.0.0.1"


def test_a_port_is_passed_on(started):
    with pytest.raises(Started):
        main(["app", "--port", "8600"])
    assert started["command"][-2:] == ["--server.port", "8600"]


@pytest.mark.parametrize("port", ["0", "65536", "-1", "80 80", "http"])
def test_what_is_no_port_is_refused_in_one_line(port, capsys, started):
    assert main(["app", f"--port={port}"]) == 2
    assert capsys.readouterr().err == (
        f"zspag_core app: --port: expected a whole number from 1 to 65535, got '{port}'\n"
    )
    assert not started


def test_folders_stay_those_that_were_meant(started, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZSPAG_HOME", "home")
    monkeypatch.setenv("ZSPAG_ROOTS", os.pathsep.join(["a", str(tmp_path / "b"), " "]))
    monkeypatch.delenv("ZSPAG_DATA", raising=False)
    with pytest.raises(Started):
        main(["app"])
    environment = started["environment"]
    assert environment["ZSPAG_HOME"] == str(tmp_path / "home")
    assert environment["ZSPAG_ROOTS"] == os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")])
    assert "ZSPAG_DATA" not in environment


def test_without_streamlit_it_is_asked_for(monkeypatch, capsys, started):
    monkeypatch.setattr(app.importlib.util, "find_spec", lambda name: None)
    assert main(["app"]) == 1
    assert capsys.readouterr().err == "zspag_core app: streamlit is not installed: pip install -r requirements.txt\n"
    assert not started


@pytest.mark.slow
def test_the_dashboard_opens_from_another_folder(tmp_path):
    """What lies in that folder under the names of the program's modules is in nobody's way."""
    for name in ("ui.py", "plotly.py", "zspag_core.py"):
        (tmp_path / name).write_text("raise ImportError('the wrong one')\n")
    port = free_port()
    environment = os.environ | {"ZSPAG_HOME": "home", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", "zspag_core", "app", "--port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as process:
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}", process)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
                assert answer.status == 200
        finally:
            process.terminate()
            process.wait(timeout=30)
