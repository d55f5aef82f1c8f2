"""The audit: entries are appended and found, and acknowledged when they are on the disk."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from types import TracebackType

from sqlalchemy import Engine, Select, select

from plait.errors import ConfigError, DataError
from plait.serving.audit.chain import Stored, stored, walk
from plait.serving.audit.entry import Entry, findable
from plait.serving.audit.redaction import Redacted, redact
from plait.serving.audit.segments import Closed, close
from plait.serving.audit.signing import Signer
from plait.serving.audit.verify import check
from plait.serving.audit.writer import Writer
from plait.serving.store import ENTRIES, open_store, reading, said

__all__ = ["Audit"]


class Audit:
    """A log whose entries are chained; several processes may append to one store, each by an `Audit` of its own.

    Made by `open`; a context manager, too.
    """

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self._engine, self._writer = engine, writer

    @classmethod
    def open(
        cls,
        url: str | os.PathLike[str],
        *,
        signer: Signer | None = None,
        room: int = 20_000,
        every: int = 10_000,
        make: bool = True,
    ) -> Audit:
        """Open an audit, and make its tables on first use.

        Parameters
        ----------
        url
            As `plait.serving.store.open_store` takes it.
        signer
            Signs a checkpoint every `every` entries that this process writes, and at `close`: what is before one cannot
            be rewritten without its key.
        room
            How many entries may wait to be written.
        every
            Entries between two checkpoints.
        make
            False: a store that is not there is refused.

        Raises
        ------
        ConfigError, MissingExtraError, UnavailableError
            As `open_store` does.
        """
        if room < 1 or every < 1:
            raise ConfigError(f"room {room} and every {every} are counts of entries; give 1 or more")
        engine = open_store(url, make=make)
        return cls(engine, Writer(engine, signer, room, every))

    @property
    def healthy(self) -> bool:
        """Whether the store could be written to when it was tried last, at most about a second ago."""
        return self._writer.healthy

    def append(self, entries: Sequence[Entry]) -> Future[tuple[int, ...]]:
        """Write entries, all or none; returns at once.

        Returns
        -------
        Future
            Their numbers, once the commit that holds them is on the disk; or `DataError` where one of them is no plain
            JSON, `UnavailableError` where the store could not be written to. A commit whose answer was lost on the
            way may hold entries that were reported as failed, never the reverse.

        Raises
        ------
        FullError
            If too many wait already (`plait.serving.audit.writer.FullError`, an `UnavailableError`).
        UnavailableError
            If it is closed, or belongs to the process that this one was forked from.
        """
        return self._writer.submit(entries)

    def find(self, decision: str) -> Stored | None:
        """The entry of a decision, the first that names it; None where there is none (any more)."""
        return next(self.entries(decision=decision), None)

    def entries(
        self,
        *,
        kind: str | None = None,
        decision: str | None = None,
        request: str | None = None,
        subject: str | None = None,
        after: int = 0,
    ) -> Generator[Stored, None, None]:
        """Entries in order, those that fit everything given.

        Parameters
        ----------
        after
            Only those with a higher number.
        """
        wanted = {"kind": kind, "decision": decision, "request": request, "subject": subject}
        chosen: Select[tuple[object, ...]] = select(ENTRIES).where(ENTRIES.c.seq > after)
        for name, value in wanted.items():
            if value is not None and not findable(value):
                return
            if value is not None:
                chosen = chosen.where(ENTRIES.c[name] == value)
        with said(self._engine), reading(self._engine) as connection:
            yield from map(stored, walk(connection, chosen))

    def redact(
        self,
        *,
        fields: Sequence[str],
        why: str,
        by: str,
        decision: str | None = None,
        request: str | None = None,
        subject: str | None = None,
    ) -> Redacted:
        """Delete the values and salts of fields, of all entries that fit everything given.

        Their digests and links stay, so the chain holds, and a digest without its salt tells nothing. An entry of kind
        ``"redaction"`` says what went, why and by whom. In SQLite's files zeros are written over the values; of
        PostgreSQL see the guide.

        Parameters
        ----------
        fields
            Names of fields; every one must be in one of the entries.
        why, by
            The reason, and the person or key who asks; neither may repeat what is deleted.

        Raises
        ------
        ConfigError
            If something is not given, or no entry fits.
        UnavailableError
            If the store cannot be written to.
        """
        given = {"decision": decision, "request": request, "subject": subject}
        wanted = {name: value for name, value in given.items() if value is not None}
        return redact(self._engine, wanted, fields, why, by)

    def close_segment(
        self,
        *,
        before: datetime,
        signer: Signer,
        archive: str | os.PathLike[str] | None = None,
        discard: bool = False,
    ) -> Closed:
        """Close the segment of all entries before a time: archive them, sign what the chain was there, delete them.

        The audit is verified first, and one with a flaw is not closed. The archive is on the disk before the one
        transaction that appends the checkpoint and deletes the entries.

        Parameters
        ----------
        before
            Without a zone it is UTC.
        signer
            Signs the checkpoint.
        archive
            A new file, lines of JSON, gzipped; only its owner may read it.
        discard
            Delete the entries without an archive.

        Raises
        ------
        ConfigError
            If there is nothing to close, the file is there, or neither or both of `archive` and `discard` are given.
        DataError
            If the audit has a flaw, or was redacted meanwhile.
        UnavailableError
            If the store cannot be written to.
        """
        if discard == (archive is not None):
            raise ConfigError("say where the entries go (archive), or that they are lost (discard), not both")
        found = check(self._engine)
        if not found.sound:
            raise DataError(f"nothing was closed: {found.refusal}")
        return close(self._engine, before, None if archive is None else Path(archive), signer)

    def close(self) -> None:
        """Write what waits, and stop; entries appended later are refused."""
        self._writer.close()

    def __enter__(self) -> Audit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
