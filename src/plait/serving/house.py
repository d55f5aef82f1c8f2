"""What a running service holds open: the shelf and the queues before its models, keys, the audit, and its figures."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeVar

from plait.errors import PlaitError
from plait.serving.audit import Audit, Entry, Signer
from plait.serving.batching import Aside, Lane, Scored
from plait.serving.errors import RefusedError, defect
from plait.serving.keys import Keys
from plait.serving.limits import Limiter
from plait.serving.rows import Rows
from plait.serving.settings import Settings
from plait.serving.shelf import Served, Shelf
from plait.serving.store import UnavailableError
from plait.serving.telemetry import Telemetry

__all__ = ["House"]

T = TypeVar("T")
LOOK_S: Final = 1.0  # between looks at the shelf file
RETRY_S: Final = 1.0  # after which a store may answer again


class House:
    """What a running service holds open; `open` and `close` are called in the event loop that serves."""

    def __init__(self, settings: Settings, telemetry: Telemetry | None = None) -> None:
        self.settings = settings
        self.telemetry = telemetry or Telemetry()
        self.limiter = Limiter(settings.listening.workers)
        self.shelf = Shelf({})
        self.keys: Keys | None = None
        self.audit: Audit | None = None
        self.aside = Aside()
        self.open_to = self.leaving = False
        self.failed: PlaitError | None = None
        self._lanes: dict[Served, Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._look = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether requests should come here: models are loaded and answer, decisions can be recorded, nobody leaves."""
        recorded = self.audit is None or self.audit.healthy
        return self.open_to and not self.leaving and recorded and not self.hanging

    @property
    def hanging(self) -> bool:
        """Whether a model that answers has calculated on one batch for longer than a request may take.

        A thread cannot be stopped: if it never ends, the process has to be started again.
        """
        answering = (served for named in self.shelf.models.values() for role, served, _ in named if role != "shadow")
        return any(self._hangs(self._lanes[served]) for served in answering)

    def _hangs(self, lane: Lane) -> bool:
        return lane.busy_s > self.settings.timeout_s

    async def open(self) -> None:
        """Load the shelf, and open the stores.

        Raises
        ------
        PlaitError
            If any of them cannot be had: a service starts whole or not at all.
        """
        settings = self.settings
        if settings.keys is not None:
            self.keys = await asyncio.to_thread(Keys.open, settings.keys)
        if settings.audit is not None:
            signer = None if settings.signer is None else Signer.load(settings.signer)
            self.audit = await asyncio.to_thread(Audit.open, settings.audit, signer=signer)
        self._show(await asyncio.to_thread(Shelf.open, settings.shelf))
        self._watch = asyncio.create_task(self._watched())
        self.open_to = True
        self.telemetry.event("ready", champions=self.shelf.champions)

    async def close(self) -> None:
        """Finish what was begun, in order: shadows, queues, the audit, keys.

        Calculations that go on for longer than a request may take are left; the audit is closed all the same.
        """
        self.leave()
        if self._watch is not None:
            self._watch.cancel()
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                while self._tasks:
                    await asyncio.wait(self._tasks)
                await self.aside.close()
                for lane in self._lanes.values():
                    await lane.close()
        except TimeoutError:
            self.telemetry.event("left a calculation that did not end")
        if self.audit is not None:
            await asyncio.to_thread(self.audit.close)
        if self.keys is not None:
            self.keys.close()

    def leave(self) -> None:
        """Say at ``/readyz`` that requests should go elsewhere."""
        self.leaving = True

    def look(self) -> None:
        """Look at the shelf file now, whether it seems changed or not."""
        self._look.set()

    async def score(self, served: Served, rows: Rows) -> Scored:
        """What a version says of rows, together with the rows of others that wait for it.

        Raises
        ------
        RefusedError
            503 where the queue is full, or the model hangs; 422 where it cannot read these rows.
        """
        lane = self._lanes.get(served)
        if lane is None:  # a request that chose it just before it left the shelf
            lane = self._lane(served)
        if self._hangs(lane):
            raise RefusedError(
                503, f"{served.name} has worked on other rows for {lane.busy_s:.0f} s; ask again", retry_after=RETRY_S
            )
        queued = self.telemetry.queued.labels(served.name, served.version)
        try:
            task = lane.submit(rows)
            queued.set(lane.queued + len(rows))
            return await task
        finally:
            queued.set(lane.queued)

    async def record(self, entries: Sequence[Entry]) -> None:
        """Keep entries in the audit, if there is one; returns once they are on the disk.

        Raises
        ------
        RefusedError
            503 where they cannot be written.
        """
        if self.audit is None or not entries:
            return
        begun = perf_counter()
        try:
            written: Future[tuple[int, ...]] = self.audit.append(entries)
            await asyncio.wrap_future(written)
        except UnavailableError:
            raise RefusedError(
                503, "the audit cannot be written, and no decision leaves without it; try again", retry_after=RETRY_S
            ) from None
        self.telemetry.audit.observe(perf_counter() - begun)

    def later(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something after the answer, and before the service ends; a defect in it is told in the log."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.telemetry.event("failed", error=defect(error))

    def _lane(self, served: Served) -> Lane:
        settings = self.settings
        return Lane(
            served.score,
            batch_rows=settings.batch_rows,
            batch_ms=settings.batch_ms,
            queue_rows=settings.queue_rows,
        )

    def _show(self, shelf: Shelf) -> None:
        """Serve from another shelf; requests that met the old one end there."""
        before = self._lanes
        self._lanes = {served: before.get(served) or self._lane(served) for served in shelf}
        self.shelf = shelf
        self.telemetry.shows(shelf)
        for served, lane in before.items():
            if served not in self._lanes:
                self.later(lane.close())

    async def _watched(self) -> None:
        """Look at the shelf file every second, and take over what it says once that is loaded."""
        seen = await asyncio.to_thread(_mark, self.settings.shelf)
        while True:
            try:
                await asyncio.wait_for(self._look.wait(), LOOK_S)
            except TimeoutError:
                if (mark := await asyncio.to_thread(_mark, self.settings.shelf)) == seen:
                    continue
            else:
                self._look.clear()
                mark = await asyncio.to_thread(_mark, self.settings.shelf)
            seen = mark
            await asyncio.wait([self.later(self._take_over())])  # a defect in it does not end the watch

    async def _take_over(self) -> None:
        begun = perf_counter()
        try:
            with self.telemetry.swaps.labels("refused").count_exceptions():
                shelf = await asyncio.to_thread(Shelf.open, self.settings.shelf, self.shelf)
        except PlaitError as error:
            self.telemetry.event("shelf refused", why=str(error))
            return
        self._show(shelf)
        self.telemetry.swaps.labels("taken").inc()
        self.telemetry.event("shelf taken over", champions=shelf.champions, seconds=round(perf_counter() - begun, 3))


def _mark(path: str | Path) -> tuple[int, ...]:
    """What changes when a file is replaced or written to."""
    try:
        about = Path(path).stat()
    except OSError:
        return ()
    return about.st_ino, about.st_mtime_ns, about.st_size
