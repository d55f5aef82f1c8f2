"""One thread that writes what waits in one commit, and answers only after it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Condition, Thread
from typing import Final, TypeAlias

from sqlalchemy import Engine

from plait.errors import PlaitError
from plait.serving.audit.chain import append, lock
from plait.serving.audit.entry import Entry, Sealed, seal
from plait.serving.audit.signing import Signer, checkpoint
from plait.serving.store import UnavailableError, at, said, writing

__all__ = ["FullError", "Writer"]

GROUP: Final = 1_000  # entries in a commit, at most, but for a single submission that has more
LOOK_S: Final = 1.0  # how often a writer without work sees whether the store can still be written to
Numbers: TypeAlias = tuple[int, ...]
Group: TypeAlias = list[tuple[Sequence[Entry], Future[Numbers]]]


class FullError(UnavailableError):
    """More entries wait to be written than the queue holds."""


class Writer:
    """Writes entries in the order in which they are submitted; a group that fails is reported and never tried again.

    Parameters
    ----------
    engine
        The store; the writer is done with it when it is closed.
    signer
        Signs a checkpoint every `every` entries, and at the end.
    room
        How many entries may wait.
    """

    def __init__(self, engine: Engine, signer: Signer | None, room: int, every: int) -> None:
        self._engine, self._signer, self._room, self._every = engine, signer, room, every
        self._unsigned = 0
        self._waiting: deque[tuple[Sequence[Entry], Future[Numbers]]] = deque()
        self._entries = 0
        self._changed = Condition()
        self._closing = False
        self._process = os.getpid()
        self.healthy = True
        self._thread = Thread(target=self._work, name="plait-audit", daemon=True)
        self._thread.start()

    def submit(self, entries: Sequence[Entry]) -> Future[Numbers]:
        """Queue entries that are to stand together.

        Raises
        ------
        FullError
            If too many wait already.
        UnavailableError
            After `close`, and in a process that was forked from the one that has the writer.
        """
        if os.getpid() != self._process:
            raise UnavailableError(
                "this audit belongs to the process that this one was forked from; open another after it"
            )
        future: Future[Numbers] = Future()
        if not entries:
            future.set_result(())
            return future
        with self._changed:
            if self._closing:
                raise UnavailableError("this audit is closed; open it again")
            if self._entries and self._entries + len(entries) > self._room:
                raise FullError(
                    f"{self._entries:,} entries wait to be written to {at(self._engine)}; try again in a second"
                )
            self._waiting.append((entries, future))
            self._entries += len(entries)
            self._changed.notify()
        return future

    def close(self) -> None:
        """Write what waits, sign, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        self._engine.dispose()

    def _work(self) -> None:
        group: Group | None = []
        try:
            while (group := self._group()) is not None:
                if group:
                    self._answer(group)
                else:
                    self._look()
        finally:  # nobody waits for ever, also where a defect of ours ends this thread
            self._refuse(group or [])
        if self._signer is not None and self._unsigned and self.healthy:
            self._attempt([], self._signer)

    def _refuse(self, group: Group) -> None:
        with self._changed:
            self._closing = True
            left = [*group, *self._waiting]
            self._waiting.clear()
        for _, future in left:
            if not future.done():
                self.healthy = False
                future.set_exception(UnavailableError("the audit's writer has stopped; start the service again"))

    def _group(self) -> Group | None:
        """What waits; nothing after a while without work; None at the end."""
        with self._changed:
            if not self._waiting and not self._closing:
                self._changed.wait(LOOK_S)
            group: Group = []
            taken = 0
            while self._waiting and (not group or taken + len(self._waiting[0][0]) <= GROUP):
                group.append(self._waiting.popleft())
                taken += len(group[-1][0])
            self._entries -= taken
            return None if self._closing and not group else group

    def _answer(self, group: Group) -> None:
        sealed: list[Sealed] = []
        spans: list[tuple[int, int, Future[Numbers]]] = []
        for entries, future in group:
            if not future.set_running_or_notify_cancel():
                continue
            try:
                made = [seal(entry) for entry in entries]
            except PlaitError as error:
                future.set_exception(error)
                continue
            spans.append((len(sealed), len(sealed) + len(made), future))
            sealed += made
        if not sealed:
            return
        due = self._signer if self._unsigned + len(sealed) >= self._every else None
        done = self._attempt(sealed, due)
        for start, end, future in spans:
            if isinstance(done, UnavailableError):
                future.set_exception(done)
            else:
                future.set_result(done[start:end])

    def _attempt(self, sealed: Sequence[Sealed], signer: Signer | None) -> Numbers | UnavailableError:
        try:
            with said(self._engine), writing(self._engine) as connection:
                numbers = append(connection, sealed) if sealed else ()
                if signer is not None:
                    append(connection, [seal(checkpoint(signer, lock(connection)))])
        except UnavailableError as error:
            self.healthy = False
            return error
        self.healthy = True
        self._unsigned = 0 if signer is not None else self._unsigned + len(sealed)
        return numbers

    def _look(self) -> None:
        """Whether the store can be written to, without writing."""
        try:
            with said(self._engine), writing(self._engine) as connection:
                lock(connection)
        except UnavailableError:
            self.healthy = False
        else:
            self.healthy = True
