"""A store of its own for every test, and worker processes that need no torch."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from zspag_core.jobs import JobStore

SERVER = Path(__file__).parent / "serve_test_tasks.py"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    monkeypatch.delenv("ZSPAG_DATABASE_URL", raising=False)
    return tmp_path


def pytest_generate_tests(metafunc):
    """Run the tests of a file that names databases on each of them."""
    databases = getattr(metafunc.module, "DATABASES", None)
    if databases and "store" in metafunc.fixturenames:
        metafunc.parametrize("store", databases, indirect=True)


@pytest.fixture
def store(home, request, monkeypatch):
    if getattr(request, "param", "sqlite") == "postgres":
        monkeypatch.setenv("ZSPAG_DATABASE_URL", request.getfixturevalue("postgres_url"))
    opened = JobStore()
    yield opened
    opened.close()


@pytest.fixture
def start_server(home):
    """Start worker processes that know the tasks of serve_test_tasks.py; they are killed at the end."""
    started = []

    def start(*arguments: str) -> subprocess.Popen:
        process = subprocess.Popen([sys.executable, str(SERVER), *arguments], cwd=ROOT)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def wait_until():
    """Wait until something holds; fail after some seconds."""

    def wait(holds, seconds: float = 30.0):
        deadline = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < deadline, "waited too long"
            time.sleep(0.02)
        return found

    return wait
