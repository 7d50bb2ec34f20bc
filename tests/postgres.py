"""A Postgres of the tests' own; tests that want one are skipped, visibly, where it is not installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from zspag_core.jobs.schema import metadata

DEBIANS = Path("/usr/lib/postgresql")
SETTINGS = ("listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=60", "shared_buffers=16MB")
ACCOUNTS = ("postgres", "nobody")


@pytest.fixture(scope="session")
def postgres_server():
    """Return the URL of a server's database."""
    pytest.importorskip("psycopg")
    if programs() is None:
        pytest.skip("Postgres is not installed (Debian, Ubuntu: apt install postgresql)")
    with server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server):
    """Return the URL of a database without tables; what a test makes is removed."""
    yield postgres_server
    engine = create_engine(postgres_server.replace("postgresql", "postgresql+psycopg", 1))
    metadata.drop_all(engine)
    engine.dispose()


@contextmanager
def server():
    """Start a server that only this machine's processes reach; yield the URL of its database."""
    folder = Path(tempfile.mkdtemp(prefix="zspag-pg-"))
    common = {"user": _account(folder), "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    place, data = programs(), folder / "data"
    subprocess.run([place / "initdb", "-D", data, "-U", "zspag", "-A", "trust", "--no-sync"], check=True, **common)
    settings = " ".join(f"-c {setting}" for setting in SETTINGS)
    control = [place / "pg_ctl", "-D", data, "-w"]
    subprocess.run([*control, "-o", f"-k {folder} {settings}", "start"], check=True, **common)
    try:
        yield f"postgresql://zspag@/postgres?host={folder}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, **common)
        shutil.rmtree(folder, ignore_errors=True)


def programs():
    """Return the folder of Postgres's programs, None where there is none."""
    newest = sorted(DEBIANS.glob("*/bin"), key=lambda path: int(path.parent.name))[-1:]
    found = shutil.which("initdb")
    places = [*newest, *([Path(found).parent] if found else [])]
    return next((place for place in places if (place / "pg_ctl").exists()), None)


def _account(folder):
    """Return whom the server runs as, who then owns the folder: Postgres refuses to run as root."""
    if os.name == "nt" or os.geteuid():
        return None
    import pwd

    account = next(name for name in ACCOUNTS if name in {entry.pw_name for entry in pwd.getpwall()})
    shutil.chown(folder, account)
    return account
