"""The tables of a shared dashboard; they lie beside the jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Column, Float, Integer, String, Table, Text

from zspag_core.jobs.schema import OWNER_LENGTH, make_table, metadata

if TYPE_CHECKING:
    from sqlalchemy import Engine

visitors = Table(
    "visitors",
    metadata,
    Column("id", String(OWNER_LENGTH), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("teacher", Integer, nullable=False, default=0),
    Column("page", String(40), nullable=False, default=""),
    Column("lesson", Integer, nullable=False, default=0),
    Column("seen", Float, nullable=False),
)

answers = Table(
    "answers",
    metadata,
    Column("visitor", String(OWNER_LENGTH), primary_key=True),
    Column("lesson", Integer, primary_key=True),
    Column("value", String(40), primary_key=True),
    Column("option", Integer, nullable=False),
    Column("at", Float, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("body", Text, nullable=False),
    Column("at", Float, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("owner", String(OWNER_LENGTH), nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("bytes", Float, nullable=False),
)

TABLES = (visitors, answers, notices, deliveries)


def make_tables(engine: Engine) -> None:
    """Make those that are not there yet."""
    for table in TABLES:
        make_table(engine, table)
