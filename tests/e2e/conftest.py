"""A real server with a home of its own, and a real browser; skipped visibly where there is no Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from zspag_core.jobs import JobStore

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_SECONDS = 120


@pytest.fixture(scope="session")
def server_home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def store(server_home, app_url):
    """The database of the app, seen from the test."""
    opened = JobStore(f"sqlite:///{(server_home / 'zspag.db').as_posix()}")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def app_url(server_home):
    """Start the app on a free port; it and its workers end with the session."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"]
    environment = os.environ | {"ZSPAG_HOME": str(server_home), "OMP_NUM_THREADS": "1"}
    environment.pop("ZSPAG_DATABASE_URL", None)
    environment.pop("ZSPAG_START_WORKER", None)
    server = subprocess.Popen([*command, "--server.fileWatcherType=none"], cwd=ROOT, env=environment)
    url = f"http://127.0.0.1:{port}"
    wait_until_healthy(url, server)
    yield url
    server.terminate()
    server.wait(timeout=30)
    end_workers(server_home)


def wait_until_healthy(url, server):
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert server.poll() is None, "the server ended"
        assert time.monotonic() < deadline, "the server does not answer"
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:  # noqa: S310 - our own server
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)


def worker_pids(home):
    """Return the process ids of the living workers that use a home."""
    from zspag_core.jobs.beats import WORKER

    store = JobStore(f"sqlite:///{(home / 'zspag.db').as_posix()}")
    try:
        return {worker.lanes: int(worker.name.split("-")[-2]) for worker in store.beats.alive(WORKER)}
    finally:
        store.close()


def end_workers(home):
    for pid in worker_pids(home).values():
        os.kill(pid, 15)


@pytest.fixture(scope="session")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine: the browser tests need one")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser):
    """A fresh visitor; an error in the page's own scripts fails the test, and so does any request to elsewhere."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    errors, hosts = [], set()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda request: hosts.add(request.url.split("/")[2].split(":")[0]))
    yield opened
    context.close()
    assert not errors
    assert hosts <= {"127.0.0.1", ""}
