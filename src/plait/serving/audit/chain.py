"""The chain in a store: appending inside a transaction, and reading back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from plait.contracts import Json
from plait.serving.audit.entry import Sealed, link_of
from plait.serving.store import ENTRIES, HEAD

__all__ = ["Head", "Stored", "append", "head", "lock", "moment", "opened", "stored", "walk"]

BATCH = 2_000  # rows read at a time


@dataclass(frozen=True)
class Head:
    """Where the chain ends: the last entry's number, time and link."""

    seq: int
    time: str
    link: str


@dataclass(frozen=True)
class Stored:
    """An entry as it stands in the audit.

    Parameters
    ----------
    seq
        Its number, from 1 without gaps.
    time
        When it was written, UTC, as in ``2026-01-31T09:30:00.000000Z``.
    kind, fields
        As given; fields that were redacted are missing.
    redacted
        Names of the fields whose values were deleted.
    link
        What joins it to all entries before it.
    """

    seq: int
    time: str
    kind: str
    fields: Mapping[str, Json]
    redacted: tuple[str, ...]
    link: str

    def to_json(self) -> dict[str, Json]:
        """The same for `json.dumps`."""
        return {**self.__dict__, "fields": dict(self.fields), "redacted": list(self.redacted)}


def moment(at: datetime) -> str:
    """A time as the store writes it; without a zone it is UTC."""
    zoned = at if at.tzinfo else at.replace(tzinfo=UTC)
    return zoned.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def head(connection: Connection) -> Head | None:
    """Where the chain ends just now; None where the row that says so is missing."""
    row = connection.execute(select(HEAD.c.seq, HEAD.c.time, HEAD.c.link)).first()
    return None if row is None else Head(*row)


def lock(connection: Connection) -> Head:
    """The same, and nobody else appends until this transaction ends.

    SQLite's transactions that write are alone from their beginning; on PostgreSQL the row is locked.
    """
    return Head(*connection.execute(select(HEAD.c.seq, HEAD.c.time, HEAD.c.link).with_for_update()).one())


def append(connection: Connection, entries: Sequence[Sealed]) -> tuple[int, ...]:
    """Append to the chain within a transaction that writes: the numbers of the entries.

    An entry's time is never before that of the one before it, whatever the clocks of several machines say.
    """
    last = lock(connection)
    time = max(last.time, moment(datetime.now(UTC)))
    seq, link, rows = last.seq, last.link, []
    for entry in entries:
        seq += 1
        link = link_of(link, seq, time, entry.kind, entry.digests)
        row = {"seq": seq, "time": time, "kind": entry.kind, "fields": entry.fields, "link": link}
        rows.append({**row, **entry.found_by})
    connection.execute(insert(ENTRIES), rows)
    connection.execute(update(HEAD).values(seq=seq, time=time, link=link))
    return tuple(range(last.seq + 1, seq + 1))


def walk(connection: Connection, chosen: Select[Any]) -> Iterator[Any]:
    """Rows of the audit in order, with flat memory, within one transaction."""
    after: int | None = None
    while True:
        part = chosen if after is None else chosen.where(ENTRIES.c.seq > after)
        rows = connection.execute(part.order_by(ENTRIES.c.seq).limit(BATCH)).all()
        yield from rows
        if len(rows) < BATCH:
            return
        after = rows[-1].seq


def opened(fields: str) -> dict[str, tuple[Json, ...]]:
    """The fields of a row, name to digest, salt and value, or to the digest alone."""
    return {name: tuple(kept) for name, kept in json.loads(fields).items()}


def stored(row: Any) -> Stored:
    """A row as an entry."""
    body = opened(row.fields)
    fields = {name: kept[2] for name, kept in body.items() if len(kept) == 3}
    return Stored(row.seq, row.time, row.kind, fields, tuple(name for name in body if name not in fields), row.link)
