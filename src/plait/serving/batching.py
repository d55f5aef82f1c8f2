"""Rows of several requests scored together, by one thread a model; small requests go between the pieces of large ones.

Nothing waits while the model is idle: batches grow by themselves out of what came while the last one was scored
(Crankshaw et al., 2017, Clipper: adaptive batching).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from plait.errors import InputError
from plait.serving.errors import RefusedError
from plait.serving.rows import Rows

__all__ = ["Aside", "Lane", "Scored"]

T = TypeVar("T")
RETRY_S = 1.0  # after which a full queue may have room


@dataclass(frozen=True)
class Scored:
    """What a model said of rows: an answer each, and its faults as ``{"row", "column", "reason"}``."""

    answers: list[dict[str, Any]]
    faults: list[dict[str, Any]]

    @staticmethod
    def joined(parts: Sequence[Scored]) -> Scored:
        """Answers of pieces of one request, in order."""
        answers: list[dict[str, Any]] = []
        faults: list[dict[str, Any]] = []
        for part in parts:
            faults += [{**fault, "row": fault["row"] + len(answers)} for fault in part.faults]
            answers += part.answers
        return Scored(answers, faults)

    def take(self, begin: int, end: int) -> Scored:
        """The rows from `begin` up to `end`."""
        faults = [{**each, "row": each["row"] - begin} for each in self.faults if begin <= each["row"] < end]
        return Scored(self.answers[begin:end], faults)


@dataclass(eq=False)
class _Job:
    rows: Rows
    done: asyncio.Future[Scored]
    at: int = 0  # rows that were handed out
    parts: list[Scored] = field(default_factory=list)

    @property
    def left(self) -> int:
        return len(self.rows) - self.at

    @property
    def alone(self) -> bool:
        """Whether the rows bring long tables, which are read beside no other request's."""
        return bool(self.rows.sides)


class Lane:
    """The queue before one model.

    Parameters
    ----------
    score
        From rows to what the model says of them; called in the lane's own thread, never twice at once. An `InputError`
        is the fault of the rows.
    batch_rows, batch_ms, queue_rows
        As in `plait.serving.settings.Settings`.
    """

    def __init__(self, score: Callable[[Rows], Scored], *, batch_rows: int, batch_ms: float, queue_rows: int) -> None:
        self._score, self._most, self._pause, self._bound = score, batch_rows, batch_ms / 1000, queue_rows
        self._waiting: deque[_Job] = deque()
        self._thread = ThreadPoolExecutor(1, "plait-lane")
        self._running: asyncio.Task[None] | None = None
        self._begun: float | None = None
        self.queued = 0

    @property
    def busy_s(self) -> float:
        """Seconds since the calculation that runs began; 0 while none does."""
        return 0.0 if self._begun is None else monotonic() - self._begun

    async def submit(self, rows: Rows) -> Scored:
        """What the model says of rows; cancelled, they leave the queue.

        Raises
        ------
        RefusedError
            503 where the queue is full; 422 where the model cannot read these rows.
        """
        if self.queued + len(rows) > self._bound:
            raise RefusedError(
                503, f"{self.queued:,} rows wait already (allowed: {self._bound:,}); try again", retry_after=RETRY_S
            )
        job = _Job(rows, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        self.queued += len(rows)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        try:
            return await job.done
        finally:
            if job in self._waiting:
                self._waiting.remove(job)
                self.queued -= job.left

    async def close(self) -> None:
        """Finish what waits, and end the thread; cancelled, what waits is left."""
        try:
            if self._running is not None:
                await self._running
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        first = True
        while self._waiting:
            if self._pause and not first and self.queued < self._most:
                await asyncio.sleep(self._pause)
            first = False
            if batch := self._next():
                await self._serve(batch)
        self._running = None

    def _next(self) -> list[tuple[_Job, int, int]]:
        """What is scored next: a piece of one large request, or small ones whole; who got a piece goes to the back."""
        batch: list[tuple[_Job, int, int]] = []
        room = self._most
        for job in list(self._waiting):
            if batch and (job.left > room or job.alone):
                continue
            taken = min(job.left, self._most)
            batch.append((job, job.at, job.at + taken))
            self._waiting.remove(job)
            self.queued -= taken
            job.at += taken
            if job.left:
                self._waiting.append(job)
            room -= taken
            if room <= 0 or job.left or job.alone:
                break
        return batch

    async def _serve(self, batch: list[tuple[_Job, int, int]]) -> None:
        pieces = [job.rows.take(begin, end) for job, begin, end in batch]
        together, error = await self._called(pieces)
        if error is None and together is not None:
            begin = 0
            for (job, _, _), piece in zip(batch, pieces, strict=True):
                _give(job, together.take(begin, begin + len(piece)))
                begin += len(piece)
            return
        for (job, _, _), piece in zip(batch, pieces, strict=True):  # whose rows were it? the others go on
            found, own = await self._called([piece]) if len(batch) > 1 else (together, error)
            if own is not None and not job.done.done():
                job.done.set_exception(_refusal(own))
            elif found is not None:
                _give(job, found)

    async def _called(self, pieces: Sequence[Rows]) -> tuple[Scored | None, BaseException | None]:
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._thread, partial(_scored, self._score, pieces))
        self._begun = monotonic()
        try:
            await asyncio.wait([future])
        finally:
            self._begun = None
        error = future.exception()
        return (None if error else future.result()), error


def _scored(score: Callable[[Rows], Scored], pieces: Sequence[Rows]) -> Scored:
    return score(pieces[0] if len(pieces) == 1 else Rows.joined(pieces))


def _give(job: _Job, part: Scored) -> None:
    job.parts.append(part)
    if not job.left and not job.done.done():
        job.done.set_result(Scored.joined(job.parts))


def _refusal(error: BaseException) -> BaseException:
    return RefusedError(422, str(error)) if isinstance(error, InputError) else error


class Aside:
    """Work that takes longer than an answer, explanations and operations of desks, in a few threads of its own.

    Parameters
    ----------
    threads
        Calls that run at once.
    waiting
        Calls that may run or wait; the next is refused.
    """

    def __init__(self, threads: int = 1, waiting: int = 16) -> None:
        self._threads = ThreadPoolExecutor(threads, "plait-aside")
        self._bound = waiting
        self._calls: set[Future[Any]] = set()

    @property
    def held(self) -> int:
        """Calls that run or wait."""
        return len(self._calls)

    async def call(self, work: Callable[[], T]) -> T:
        """Call `work` in one of the threads.

        Raises
        ------
        RefusedError
            503 where too many calls wait; 422 where the call refuses what it was given.
        """
        if self.held >= self._bound:
            raise RefusedError(503, f"{self.held} such requests wait already; try again", retry_after=RETRY_S)
        future = self._threads.submit(work)
        self._calls.add(future)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._calls.discard, done))
        try:
            return await asyncio.wrap_future(future)
        except InputError as error:
            raise RefusedError(422, str(error)) from None

    async def close(self) -> None:
        """Finish what runs, and end the threads; what waits is left."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.gather(*map(asyncio.wrap_future, self._calls), return_exceptions=True)
