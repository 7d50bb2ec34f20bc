"""Start the app as a visitor's server would, and find a browser; for the browser tests and for the timings."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zspag_core.jobs import JobStore
from zspag_core.jobs.heartbeats import WORKER

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
VIEWPORT = {"width": 1440, "height": 1000}
START_SECONDS = 120


@dataclass(frozen=True)
class Server:
    """The app on a port of this machine, with a home of its own."""

    process: subprocess.Popen
    url: str
    home: Path

    def stop(self):
        """End the server and the workers that use its home."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)
        end_workers(self.home)


def start_server(home, port=None, threads=1):
    """Start the app and wait until it answers; without a port it takes a free one. Threads: None for all cores."""
    port = port or free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"]
    environment = os.environ | {"ZSPAG_HOME": str(home)}
    environment |= {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    environment.pop("ZSPAG_DATABASE_URL", None)
    environment.pop("ZSPAG_START_WORKER", None)
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    url = f"http://127.0.0.1:{port}"
    wait_until_healthy(url, process)
    return Server(process, url, home)


@contextmanager
def shared_dashboard(home, port, *options, environment=None):
    """Share a dashboard, without workers, as a class does; yield its codes by name."""
    mine = {"ZSPAG_HOME": str(home), "ZSPAG_START_WORKER": "0", "OMP_NUM_THREADS": "1"}
    environment = os.environ | mine | (environment or {})
    environment.pop("ZSPAG_DATABASE_URL", None)
    command = [sys.executable, "-m", "zspag_core", "app", "--share", "--port", str(port), *options]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}", process)
            yield json.loads((home / "class.json").read_text())
        finally:
            process.terminate()
            process.wait(timeout=30)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_healthy(url, process, path="/_stcore/health"):
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, "the server ended"
        assert time.monotonic() < deadline, "the server does not answer"
        try:
            with urllib.request.urlopen(f"{url}{path}", timeout=2) as answer:  # noqa: S310 - our own server
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)


def open_store(home):
    """Return the database of the app, seen from outside."""
    return JobStore(f"sqlite:///{(home / 'zspag.db').as_posix()}")


def worker_pids(home):
    """Return the process ids of the living workers that use a home."""
    store = open_store(home)
    try:
        return {worker.lanes: int(worker.name.split("-")[-2]) for worker in store.heartbeats.alive(WORKER)}
    finally:
        store.close()


def end_workers(home, lane=""):
    """End the workers that use a home; with a lane only those that serve it."""
    for lanes, pid in worker_pids(home).items():
        if lane in (*lanes, ""):
            os.kill(pid, 15)


def find_chromium(*, whole=False):
    """Return the browser's path, None where there is none.

    The headless shell draws by the same engine, without a window's own interface: a page costs it 40 % less. A whole
    browser is what a person has, so it is what times are taken with.
    """
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names[whole:] if (path := shutil.which(name))), None)
