from __future__ import annotations

import sqlite3
import sys
import threading

import pytest

from zspag_core.errors import UsageError
from zspag_core.jobs import JobStore, State
from zspag_core.jobs.schema import database_url, open_database

FIRST_SCHEMA = """
create table jobs (
    number integer primary key autoincrement not null, id varchar(40) not null unique, kind varchar(40) not null,
    lane varchar(40) not null, config text not null, device varchar(20) not null, state varchar(20) not null,
    wish varchar(20) not null, worker varchar(120) not null, created float not null, started float, finished float,
    progress text not null, answer text not null, error text not null, details text not null
);
insert into jobs values (7, 'old', 'unlearn', 'runs', '{"forget": [3]}', 'auto', 'done', '', 'w', 1.0, 2.0, 3.0,
    '{}', '{"after": null}', '', '');
"""


@pytest.fixture
def old_database(home):
    """A database as the first version of this program made it, with one run in it."""
    with sqlite3.connect(home / "zspag.db") as connection:
        connection.executescript(FIRST_SCHEMA)
    connection.close()
    return f"sqlite:///{(home / 'zspag.db').as_posix()}"


def test_old_database_gets_the_new_columns_and_keeps_its_runs(old_database):
    store = JobStore(old_database)
    job = store.require("old")
    assert (job.number, job.state, job.config) == (7, State.DONE, {"forget": [3]})
    assert (job.title, job.note, job.deleted, job.comparison) == ("", "", None, "")
    store.rename("old", "The first one")
    assert [job.title for job in store.latest()] == ["The first one"]
    assert store.submit("unlearn", {}).number == 8
    store.close()


def test_two_processes_that_upgrade_at_once_do_not_disturb_each_other(old_database):
    failures = []

    def upgrade():
        try:
            open_database(old_database).dispose()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    store = JobStore(old_database)
    assert store.require("old").title == ""
    store.close()


def test_database_lies_under_home_in_wal_mode(store, home):
    connection = sqlite3.connect(home / "zspag.db")
    try:
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
    finally:
        connection.close()


def test_database_url_of_the_environment_wins(home, monkeypatch):
    monkeypatch.setenv("ZSPAG_DATABASE_URL", f"sqlite:///{(home / 'other.db').as_posix()}")
    opened = JobStore()
    opened.submit("a", {})
    opened.close()
    assert (home / "other.db").exists()
    assert not (home / "zspag.db").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nothing://x", "expected postgresql://"),
        ("postgresql://zspag@127.0.0.1:1/none", "the database does not answer"),
        ("mysql+nodriver://x/y", "expected postgresql://"),
    ],
)
def test_a_database_that_cannot_be_opened_is_said_in_one_line(home, monkeypatch, given, said):
    monkeypatch.setenv("ZSPAG_DATABASE_URL", given)
    with pytest.raises(UsageError, match=said) as raised:
        JobStore()
    assert "ZSPAG_DATABASE_URL" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_driver_is_named(home, monkeypatch):
    monkeypatch.setenv("ZSPAG_DATABASE_URL", "postgres://zspag@host/name")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError, match=r"pip install .psycopg\[binary\]"):
        JobStore()


def test_postgres_is_spoken_to_by_psycopg(monkeypatch):
    monkeypatch.setenv("ZSPAG_DATABASE_URL", "postgres://a:b@host/name?x=1")
    assert database_url() == "postgresql+psycopg://a:b@host/name?x=1"
