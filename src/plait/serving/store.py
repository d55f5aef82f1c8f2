"""Where keys and the audit are kept: SQLite by default, PostgreSQL in production; tables are made on first use."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from plait.errors import ConfigError, MissingExtraError, PlaitError

__all__ = [
    "ENTRIES",
    "GENESIS",
    "HEAD",
    "KEYS",
    "SECRETS",
    "UnavailableError",
    "at",
    "open_store",
    "reading",
    "said",
    "writing",
]

GENESIS: Final = "0" * 64  # the link before the first entry
BUSY_S: Final = 10.0  # how long a writer waits for another one
MAKING: Final = 0x706C616974  # the advisory lock under which tables are made: "plait" in ASCII

_METADATA = MetaData()

ENTRIES = Table(
    "plait_audit",
    _METADATA,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("time", String(27), nullable=False),  # UTC, as in 2026-01-31T09:30:00.000000Z: it sorts as it reads
    Column("kind", String(100), nullable=False),
    Column("fields", Text, nullable=False),  # canonical JSON: name -> [digest, salt, value], or [digest] once redacted
    Column("link", String(64), nullable=False),
    Column("decision", String(200)),  # these three repeat fields of the same name, to look entries up
    Column("request", String(200)),
    Column("subject", String(200)),
    Index("plait_audit_decision", "decision"),
    Index("plait_audit_request", "request"),
    Index("plait_audit_subject", "subject"),
)
"""Entries of the audit, each a row."""

HEAD = Table(
    "plait_audit_head",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("time", String(27), nullable=False),
    Column("link", String(64), nullable=False),
)
"""One row: where the chain ends. Who appends locks it, so that several processes write one chain."""

KEYS = Table(
    "plait_keys",
    _METADATA,
    Column("id", String(16), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("scopes", Text, nullable=False),  # separated by blanks
    Column("rate", Float, nullable=False),
    Column("burst", Integer, nullable=False),
    Column("max_bytes", BigInteger),
    Column("max_rows", BigInteger),
    Column("created", String(27), nullable=False),
    Column("expires", String(27)),
    Column("revoked", String(27)),
    Column("used", String(10)),  # the day
)
"""API keys without their secrets."""

SECRETS = Table(
    "plait_secrets",
    _METADATA,
    Column("digest", String(64), primary_key=True),
    Column("key", String(16), ForeignKey("plait_keys.id"), nullable=False, index=True),
    Column("until", String(27)),
)
"""SHA-256 of the secrets of keys: one each, two while a rotation overlaps."""


class UnavailableError(PlaitError):
    """What is asked for cannot be had just now; asked again later, it may."""


def open_store(url: str | os.PathLike[str], *, make: bool = True) -> Engine:
    """Open a store, and make its tables if they are not there; any number of processes may do so at once.

    Parameters
    ----------
    url
        A path or ``sqlite:///path`` (write-ahead log, every commit synced to the disk, a file that its owner alone may
        read), or ``postgresql://user:password@host/database`` (by psycopg 3).
    make
        False: a store that is not there is refused.

    Raises
    ------
    ConfigError
        If it is neither, or there is none that `make` allows.
    MissingExtraError
        If psycopg is not installed.
    UnavailableError
        If there is no such database, or nobody answers.
    """
    address = _address(os.fspath(url))
    try:
        engine = _sqlite(address, make) if address.get_backend_name() == "sqlite" else _postgresql(address)
    except ImportError:
        raise MissingExtraError("a PostgreSQL store needs psycopg; pip install 'plait[serve]'") from None
    _leave_behind(engine)
    if not make:
        with said(engine):
            there = inspect(engine).has_table(HEAD.name)
        if not there:
            raise ConfigError(f"{at(engine)} holds no keys and no audit; name the store of a service")
        return engine
    with said(engine), writing(engine) as connection:
        if engine.dialect.name != "sqlite":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MAKING})
        _METADATA.create_all(connection)
        if connection.execute(select(HEAD.c.id)).first() is None:
            connection.execute(insert(HEAD).values(id=1, seq=0, time="", link=GENESIS))
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes; on SQLite it is the only one from its beginning."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees the store as it is when the first row is read, however long it lasts."""
    options: dict[str, Any] = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextmanager
def said(engine: Engine) -> Iterator[None]:
    """Errors of the database as one line without what was written or asked: values stay out of logs.

    Raises
    ------
    UnavailableError
        In place of SQLAlchemy's errors.
    """
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or type(cause).__name__
        raise UnavailableError(
            f"the store {at(engine)} cannot be used just now ({code}); see that it is there and can be written to"
        ) from None


def at(engine: Engine) -> str:
    """Where a store is, for messages: no password, no query."""
    return engine.url.set(query={}).render_as_string(hide_password=True)


def _address(url: str) -> URL:
    if "://" not in url:
        return URL.create("sqlite", database=url)
    try:
        made = make_url(url)
    except ArgumentError:
        raise ConfigError("the URL of the store cannot be read; write sqlite:///PATH or postgresql://...") from None
    if made.get_backend_name() == "postgresql":
        return made.set(drivername="postgresql+psycopg")
    if made.drivername == "sqlite" and made.database and made.database != ":memory:":
        return made
    raise ConfigError(f"no store at {made.drivername}://...; allowed: a path, sqlite:///PATH, postgresql://...")


def _sqlite(address: URL, make: bool) -> Engine:
    path = Path(address.database or "")
    if not make and not path.is_file():
        raise ConfigError(f"there is no store {str(path)!r}; name the file of one")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite's own files beside it take this mode over
    except OSError as error:
        raise ConfigError(f"cannot keep a store in {str(path)!r} ({error.strerror}); name a file in a folder") from None
    engine = create_engine(address, hide_parameters=True, connect_args={"timeout": BUSY_S})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # transactions begin where SQLAlchemy says, below
        connection.execute(f"PRAGMA busy_timeout = {int(1000 * BUSY_S)}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(address: URL) -> Engine:
    engine = create_engine(address, hide_parameters=True, pool_pre_ping=True, connect_args={"connect_timeout": 5})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: ConnectionPoolEntry) -> None:
        with connection.cursor() as cursor:  # what is acknowledged is on the disk, whatever the server's default
            cursor.execute("SELECT current_setting('synchronous_commit')")
            if cursor.fetchone() == ("off",):
                cursor.execute("SET synchronous_commit = on")
        connection.commit()

    return engine


def _leave_behind(engine: Engine) -> None:
    """A forked child opens connections of its own; its parent's are neither used nor closed."""
    known = weakref.ref(engine)

    def forget() -> None:
        if (left := known()) is not None:
            left.dispose(close=False)

    os.register_at_fork(after_in_child=forget)
