"""The state of a stream in one SQLite file: what a step changes is on the disk whole or not at all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from plait.data.files import check_file
from plait.errors import DataError
from plait.serving.stream.addresses import Address
from plait.serving.stream.parts import Outgoing, Saved, Step

__all__ = ["SqliteState"]

MARK = 0x506C6169  # "Plai": that the file is a state and no other database
TABLES = """
CREATE TABLE saved (one INTEGER PRIMARY KEY CHECK (one = 1), told TEXT NOT NULL);
CREATE TABLE segments (number INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE seen (id TEXT PRIMARY KEY, time REAL NOT NULL, dead INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX seen_time ON seen (time);
CREATE TABLE outgoing (seq INTEGER PRIMARY KEY, dead INTEGER NOT NULL, line TEXT NOT NULL);
"""


class SqliteState:
    """The embedded state: a file in write-ahead mode, synchronised at every commit, open to one worker at a time."""

    name = "file"

    def __init__(self, address: Address) -> None:
        check_file(address.path)
        self._path = address.path
        self._base = sqlite3.connect(address.path, isolation_level=None, timeout=2.0)
        with self._refusing():
            self._base.execute("PRAGMA synchronous=FULL")
            self._base.execute("BEGIN IMMEDIATE")
            self._made()
            self._base.execute("COMMIT")
            self._base.execute("PRAGMA journal_mode=WAL")  # of no database of others, which it would change

    def own(self) -> None:
        with self._refusing():
            self._base.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._base.execute("BEGIN IMMEDIATE")
            self._base.execute("COMMIT")

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            self._base.close()
            raise DataError(
                f"the state {str(self._path)!r} is in use by another worker, or cannot be written ({error})"
            ) from None
        except sqlite3.DatabaseError:
            raise self._foreign() from None

    def _made(self) -> None:
        mark = self._base.execute("PRAGMA application_id").fetchone()[0]
        if mark == MARK:
            return
        if mark or self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise self._foreign()
        for statement in TABLES.split(";\n"):
            self._base.execute(statement)
        self._base.execute(f"PRAGMA application_id={MARK}")

    def _foreign(self) -> DataError:
        self._base.close()
        return DataError(f"{str(self._path)!r} is not the state of a stream; give another path")

    @property
    def saved(self) -> Saved | None:
        row = self._base.execute("SELECT told FROM saved").fetchone()
        return None if row is None else Saved(**json.loads(row[0]))

    def segments(self) -> Iterator[bytes]:
        for (body,) in self._base.execute("SELECT body FROM segments ORDER BY number"):
            yield body

    def outgoing(self) -> list[Outgoing]:
        rows = self._base.execute("SELECT seq, dead, line FROM outgoing ORDER BY seq")
        return [Outgoing(seq, bool(dead), line) for seq, dead, line in rows]

    def known(self, ids: Sequence[str]) -> dict[str, bool]:
        asked = "SELECT id, dead FROM seen WHERE id IN (SELECT value FROM json_each(?))"
        return {id: bool(dead) for id, dead in self._base.execute(asked, (json.dumps(ids),))}

    def commit(self, step: Step) -> None:
        run = self._base.execute
        try:
            run("BEGIN IMMEDIATE")
            if step.drop:
                run(
                    "DELETE FROM segments WHERE number IN (SELECT number FROM segments ORDER BY number LIMIT ?)",
                    (step.drop,),
                )
            if step.segment is not None:
                run("INSERT INTO segments (body) VALUES (?)", (step.segment,))
            run("DELETE FROM seen WHERE time < ?", (step.forget,))
            self._base.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", step.seen)
            run("DELETE FROM outgoing WHERE seq <= ?", (step.delivered,))
            self._base.executemany("INSERT INTO outgoing VALUES (?, ?, ?)", step.outgoing)
            run("INSERT OR REPLACE INTO saved VALUES (1, ?)", (json.dumps(asdict(step.saved)),))
            run("COMMIT")
        except sqlite3.OperationalError as error:  # the disk is full, say
            raise DataError(f"the state {str(self._path)!r} cannot be written: {error}") from None

    def size(self) -> int:
        pages, each = (self._base.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        return int(pages * each)

    def close(self) -> None:
        self._base.close()
