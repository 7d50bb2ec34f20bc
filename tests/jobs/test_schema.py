from __future__ import annotations

import sqlite3
import threading

import pytest

from zspag_core.jobs import JobStore, State
from zspag_core.jobs.schema import open_database

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
