"""The audit: entries are appended and found, and acknowledged when they are on the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from types import TracebackType

from sqlalchemy import Engine, Select, select

from plait.errors import ConfigError
from plait.serving.audit.chain import Stored, stored, walk
from plait.serving.audit.entry import Entry
from plait.serving.audit.signing import Signer
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
        cls, url: str | os.PathLike[str], *, signer: Signer | None = None, room: int = 20_000, every: int = 10_000
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

        Raises
        ------
        ConfigError, MissingExtraError, UnavailableError
            As `open_store` does.
        """
        if room < 1 or every < 1:
            raise ConfigError(f"room {room} and every {every} are counts of entries; give 1 or more")
        engine = open_store(url)
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
    ) -> Iterator[Stored]:
        """Entries in order, those that fit everything given.

        Parameters
        ----------
        after
            Only those with a higher number.
        """
        wanted = {"kind": kind, "decision": decision, "request": request, "subject": subject}
        chosen: Select[tuple[object, ...]] = select(ENTRIES).where(ENTRIES.c.seq > after)
        for name, value in wanted.items():
            if value is not None:
                chosen = chosen.where(ENTRIES.c[name] == value)
        with said(self._engine), reading(self._engine) as connection:
            yield from map(stored, walk(connection, chosen))

    def close(self) -> None:
        """Write what waits, and stop; entries appended later are refused."""
        self._writer.close()

    def __enter__(self) -> Audit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
