"""Segments of the chain that leave the store: archives as lines of JSON, gzipped, and how they are read again."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, select

from plait.contracts import Json
from plait.data.files import replacing
from plait.errors import ConfigError, DataError
from plait.serving.audit.chain import Head, append, lock, moment, walk
from plait.serving.audit.entry import canonical, seal
from plait.serving.audit.signing import Signer, checkpoint
from plait.serving.audit.walker import Row
from plait.serving.store import ENTRIES, reading, said, writing

__all__ = ["Archive", "Closed", "before_first", "close"]

FORMAT: Final = "plait audit 1"


@dataclass(frozen=True)
class Closed:
    """A segment that was closed: its last row, how many rows, and the SHA-256 of its archive (None: discarded)."""

    seq: int
    rows: int
    archive: str | None

    def to_json(self) -> dict[str, Json]:
        """The same for `json.dumps`."""
        return dict(self.__dict__)

    def __str__(self) -> str:
        kept = "discarded" if self.archive is None else f"archived (SHA-256 {self.archive})"
        return f"closed the audit up to row {self.seq}: {self.rows:,} rows {kept}"


class Archive:
    """An archive to read.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    DataError
        If it cannot be read, or is none.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            with self.path.open("rb") as file:
                self.digest = hashlib.file_digest(file, "sha256").hexdigest()
            with gzip.open(self.path, "rt", encoding="utf-8") as file:
                told = json.loads(file.readline())
                if told["format"] != FORMAT:
                    raise ValueError
                self.before = Head(told["after"], "", told["link"])
        except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError):
            raise DataError(
                f"{str(self.path)!r} is no archive of an audit, or is damaged; name what close wrote"
            ) from None

    def __iter__(self) -> Iterator[Row]:
        """Its rows.

        Raises
        ------
        DataError
            Where it is damaged.
        """
        read = 0
        try:
            with gzip.open(self.path, "rt", encoding="utf-8", newline="\n") as file:
                file.readline()
                for line in file:
                    told = json.loads(line)
                    row = Row(int(told["seq"]), told["time"], told["kind"], canonical(told["fields"]), told["link"])
                    read += 1
                    yield row
        except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError):
            raise DataError(f"the archive {str(self.path)!r} is damaged after its row {read}") from None


def before_first(connection: Connection) -> Head:
    """What the first row in the store follows: nothing, or the end of the last closed segment (link ``""`` where no
    checkpoint says)."""
    first = connection.execute(select(func.min(ENTRIES.c.seq))).scalar_one()
    if first in (None, 1):
        return Head(0, "", "0" * 64)
    chosen = select(ENTRIES).where(ENTRIES.c.kind == "checkpoint").order_by(ENTRIES.c.seq.desc())
    for row in connection.execute(chosen):
        try:
            fields = {name: kept[2] for name, kept in json.loads(row.fields).items()}
            if fields["seq"] == first - 1 and fields["rows"] > 0:
                return Head(first - 1, "", str(fields["link"]))
        except (AttributeError, LookupError, TypeError, ValueError):
            continue  # a broken row is the walker's to tell
    return Head(first - 1, "", "")


def close(engine: Engine, before: datetime, archive: Path | None, signer: Signer) -> Closed:
    """Close the segment of all entries before a time; see `plait.serving.audit.log.Audit.close_segment`."""
    if archive is not None and archive.exists():
        raise ConfigError(f"{str(archive)!r} is there already; name a new file, so that no archive is lost")
    with said(engine), reading(engine) as connection:
        last_seen = connection.execute(select(func.max(ENTRIES.c.seq))).scalar_one()
        start = before_first(connection)
        last = _last_before(connection, before)
        rows = select(ENTRIES).where(ENTRIES.c.seq <= last.seq)
        digest = None if archive is None else _write(archive, start, walk(connection, rows))
    with said(engine), writing(engine) as connection:
        lock(connection)
        own = ENTRIES.c.kind.in_(("redaction", "checkpoint"))
        since = select(ENTRIES.c.seq).where(own, ENTRIES.c.seq > last_seen)
        if connection.execute(since.limit(1)).first() is not None:
            if archive is not None:
                archive.unlink()
            raise DataError("the audit was redacted or closed meanwhile, and nothing was deleted; run it again")
        count = last.seq - start.seq
        append(connection, [seal(checkpoint(signer, last, count, digest))])
        connection.execute(delete(ENTRIES).where(ENTRIES.c.seq <= last.seq))
    return Closed(last.seq, count, digest)


def _last_before(connection: Connection, before: datetime) -> Head:
    time = moment(before)
    chosen = select(ENTRIES.c.seq, ENTRIES.c.time, ENTRIES.c.link).where(ENTRIES.c.time < time)
    row = connection.execute(chosen.order_by(ENTRIES.c.seq.desc()).limit(1)).first()
    if row is None:
        raise ConfigError(f"no entry is older than {time}; give a later time, or fewer days")
    return Head(*row)


def _write(path: Path, start: Head, rows: Iterator[Any]) -> str:
    """Write an archive whole or not at all, synced to the disk: its SHA-256."""
    with replacing(path, private=True) as beside:
        with beside.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
            file.write(canonical({"format": FORMAT, "after": start.seq, "link": start.link}).encode() + b"\n")
            for row in rows:
                told = f'"kind":{canonical(row.kind)},"link":"{row.link}","seq":{row.seq},"time":"{row.time}"'
                file.write(f'{{"fields":{row.fields},{told}}}\n'.encode())
        with beside.open("rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name is on the disk, too, before what it names is deleted
    finally:
        os.close(folder)
    return digest
