"""The tables, and how the database is opened."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Float, Index, Integer, MetaData, String, Table, Text, create_engine, event, inspect, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateColumn
from sqlalchemy.sql.expression import FunctionElement

from zspag_core import files
from zspag_core.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

BUSY_SECONDS = 30.0
TITLE_LENGTH = 120
COMPARISON_LENGTH = 80
OWNER_LENGTH = 40

POSTGRES = ("postgres://", "postgresql://")

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("kind", String(40), nullable=False),
    Column("lane", String(40), nullable=False),
    Column("config", Text, nullable=False),
    Column("device", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("wish", String(20), key="command", nullable=False, default=""),  # its name in every database that there is
    Column("worker", String(120), nullable=False, default=""),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("finished", Float),
    Column("progress", Text, nullable=False, default="{}"),
    Column("answer", Text, nullable=False, default="null"),
    Column("error", Text, nullable=False, default=""),
    Column("details", Text, nullable=False, default=""),
    Column("title", String(TITLE_LENGTH), nullable=False, server_default=""),  # from here on: not in the first schema
    Column("note", Text, nullable=False, server_default=""),
    Column("deleted", Float),
    Column("comparison", String(COMPARISON_LENGTH), nullable=False, server_default=""),
    Column("number_in_lane", Integer, nullable=False, server_default="0"),  # 0: of an older version, numbered by order
    Column("owner", String(OWNER_LENGTH), nullable=False, server_default=""),  # empty: asked for without sharing
    Column("pinned", Float),
    Index("jobs_waiting", "lane", "state", "number"),
    Index("jobs_in_turn", "lane", "state", "owner", "number"),
    Index("jobs_of_owner", "lane", "owner", "started"),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("job", String(40), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("at", Float, nullable=False),
    Column("body", Text, nullable=False),
    sqlite_autoincrement=True,
)

beats = Table(
    "beats",
    metadata,
    Column("name", String(120), primary_key=True),
    Column("role", String(20), nullable=False),
    Column("lanes", String(200), nullable=False, default=""),
    Column("device", String(20), nullable=False, default=""),
    Column("at", Float, nullable=False),
)


class clock(FunctionElement[float]):  # noqa: N801 - reads like a function of SQL
    """The database's time, in seconds since 1970: machines that share it need not agree on theirs."""

    type = Float()
    inherit_cache = True


@compiles(clock, "sqlite")
def _clock_of_sqlite(_element: clock, _compiler: object, **_options: object) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(clock, "postgresql")
def _clock_of_postgres(_element: clock, _compiler: object, **_options: object) -> str:
    return "extract(epoch from clock_timestamp())"


def database_url() -> str:
    """Return ZSPAG_DATABASE_URL, else a SQLite file under ZSPAG_HOME.

    Postgres is spoken to by psycopg, whichever driver SQLAlchemy would take by itself.
    """
    given = os.environ.get("ZSPAG_DATABASE_URL")
    if given:
        scheme = next((scheme for scheme in POSTGRES if given.startswith(scheme)), None)
        return given if scheme is None else f"postgresql+psycopg://{given.removeprefix(scheme)}"
    folder = files.home()
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{(folder / 'zspag.db').as_posix()}"


def open_database(url: str) -> Engine:
    """Return an engine whose tables exist; SQLite is put into WAL mode, so that readers never wait for a writer.

    Raises:
        UsageError: the database cannot be reached, or its driver is not installed.
    """
    if url.startswith("sqlite"):
        engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
    else:
        engine = _open_server(url)
    for table in metadata.sorted_tables:
        make_table(engine, table)
    return engine


def make_table(engine: Engine, table: Table) -> None:
    """Make a table that is not there yet, and bring one that an older version made up to date."""
    _create(engine, table)
    _add_missing_columns(engine, table)
    _add_missing_indexes(engine, table)


def _open_server(url: str) -> Engine:
    """Return an engine of a database server that answers."""
    try:
        engine = create_engine(url, pool_pre_ping=True)
        engine.connect().close()
    except (ArgumentError, NoSuchModuleError) as error:
        raise UsageError(f"ZSPAG_DATABASE_URL: expected postgresql://user:password@host/name, {error}") from error
    except ModuleNotFoundError as error:
        raise UsageError(
            f'ZSPAG_DATABASE_URL: this database needs {error.name}; for Postgres: pip install "psycopg[binary]"'
        ) from error
    except OperationalError as error:
        reason = " ".join(str(error.orig).split())
        raise UsageError(f"ZSPAG_DATABASE_URL: the database does not answer: {reason}") from error
    return engine


def alone(connection: Connection, table: Table) -> None:
    """Let nobody else write to a table until the transaction ends; SQLite has one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"lock table {table.name} in share row exclusive mode"))


def _create(engine: Engine, table: Table) -> None:
    """Make a table that is not there yet."""
    try:
        table.create(engine, checkfirst=True)
    except DBAPIError:
        if not inspect(engine).has_table(table.name):  # else another process was quicker
            raise


def _add_missing_columns(engine: Engine, table: Table) -> None:
    """Bring a table that an older version made up to date; its rows get the new columns' defaults."""
    for column in _missing_columns(engine, table):
        declared = CreateColumn(column).compile(dialect=engine.dialect)
        try:
            with engine.begin() as connection:
                connection.execute(text(f"alter table {table.name} add column {declared}"))
        except DBAPIError:
            if column in _missing_columns(engine, table):  # else another process was quicker
                raise


def _add_missing_indexes(engine: Engine, table: Table) -> None:
    """Make the indexes that a table of an older version lacks."""
    there = {index["name"] for index in inspect(engine).get_indexes(table.name)}
    for index in table.indexes:
        if index.name not in there:
            try:
                index.create(engine)
            except DBAPIError:
                if index.name not in {found["name"] for found in inspect(engine).get_indexes(table.name)}:
                    raise  # else another process was quicker


def _missing_columns(engine: Engine, table: Table) -> list[Column[Any]]:
    """Return the columns that the database's table lacks."""
    there = {column["name"] for column in inspect(engine).get_columns(table.name)}
    return [column for column in table.columns if column.name not in there]


def to_text(value: Any) -> str:  # noqa: ANN401 - anything that json can write
    """Write a value as JSON with sorted keys, so that equal values give equal texts; NaN and infinity become null."""
    return json.dumps(files.finite(value), sort_keys=True, allow_nan=False, default=str)


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DB-API connection has no type
    """Set what SQLite keeps per connection; a write lost by a power cut is acceptable, a corrupt file is not."""
    cursor = connection.cursor()
    cursor.execute("pragma journal_mode=wal")
    cursor.execute("pragma synchronous=normal")
    cursor.close()
